"""Every command's name, arguments and options, as thin functions that import what they do when they run."""
# ruff: noqa: PLC0415 - each command imports what it needs, so that --version and check load none of it

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from opconsole.cli.audit_commands import audit
from opconsole.cli.journal_commands import journal
from opconsole.cli.migrations_commands import migrations
from opconsole.cli.notify_commands import notify
from opconsole.cli.output import CommandContext, ExitStatus, UsageError
from opconsole.cli.provision_commands import provision
from opconsole.cli.record_commands import record
from opconsole.cli.sentence_commands import sentences
from opconsole.cli.setup_commands import setup


class PipeClosedError(Exception):
    """BrokenPipeError under a name that the parser's own handling does not know."""


class _Root(TyperGroup):
    """The command above all others."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error


app = typer.Typer(
    cls=_Root,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    help="An operations console: queues, gates, guardrails, approvals, deployments and their record.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
queue = typer.Typer(no_args_is_help=True, help="Start, pause, look into and extend queues.")
app.add_typer(sentences)
app.add_typer(record)
app.add_typer(setup)
app.add_typer(queue, name="queue")
app.add_typer(audit, name="audit")
app.add_typer(journal, name="journal")
app.add_typer(migrations, name="migrations")
app.add_typer(provision, name="provision")
app.add_typer(notify, name="notify")

Id = Annotated[str, typer.Argument(metavar="ID", help="A run's id, or [project:]TASK.")]
ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT")]
ProjectOption = Annotated[str | None, typer.Option("--project", help="Only this project.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit chain.")]


@app.callback(invoke_without_command=True)
def console(
    ctx: typer.Context,
    _directory: Annotated[
        str | None,
        typer.Option(
            "-C", metavar="DIR", help="The workspace. Default: the nearest parent folder with opconsole.toml."
        ),
    ] = None,
    _json: Annotated[bool, typer.Option("--json", help="Machine output: one document.")] = False,
    _version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Open the console to look on: nothing can be changed in it.")
    ] = False,
) -> int:
    """An operations console: queues, gates, guardrails, approvals, deployments and their record.

    Without a command the console opens on the workspace. -C, --json and --version may also stand behind a
    command.
    """
    if ctx.invoked_subcommand is not None:
        if read_only:
            raise UsageError("--read-only is for the console alone: opconsole --read-only")
        return ExitStatus.DONE
    from queues.collector import hold_collector

    hold_collector()  # the console lets it go on after its first picture
    from opconsole.cli.console import open_console

    return open_console(_context(ctx), read_only=read_only)


@app.command()
def demo(
    ctx: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Where the demo workspace is made. Default: a new folder demo, demo-2, … in "
            "~/.local/share/opconsole ($XDG_DATA_HOME/opconsole where that is set; on macOS in "
            "~/Library/Application Support/opconsole).",
        ),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Make it and run its cascade, no screen.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --headless: play the operator too.")] = False,
    stop: Annotated[
        Path | None, typer.Option("--stop", metavar="DIR", help="End the services of the demo in DIR.")
    ] = None,
) -> int:
    """Make a demo workspace with three running environments, and open it."""
    from opconsole.cli.demo import run_demo, stop_demo

    if stop is not None:
        return stop_demo(_context(ctx), stop)
    return run_demo(_context(ctx), directory, headless=headless, yes=yes)


@app.command()
def init(
    ctx: typer.Context,
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]")] = None,
    adopt: Annotated[
        str | None,
        typer.Option("--adopt", metavar="ID", help="Take over the journal of a workspace that was moved."),
    ] = None,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Write a systemd unit for the worker: your own systemd's.")
    ] = False,
    system: Annotated[
        bool, typer.Option("--system", help="With --systemd: a unit for the machine's systemd.")
    ] = False,
) -> int:
    """Write a commented opconsole.toml and an empty queue; nothing is ever overwritten."""
    from opconsole.cli.init import init_command, write_unit

    if systemd or system:
        return write_unit(_context(ctx), directory, system=system)
    return init_command(_context(ctx), directory, adopt)


@app.command()
def run(
    ctx: typer.Context,
    project: Annotated[str, typer.Option("--project", metavar="P")],
    max_iterations: Annotated[
        int | None,
        typer.Option("--max-iterations", metavar="N", min=1, help="Attempts this run starts at most."),
    ] = None,
) -> int:
    """Start a project's queue and follow it until nothing more can run."""
    from opconsole.cli.run import run_project

    return run_project(_context(ctx), project, max_iterations)


@app.command()
def worker(
    ctx: typer.Context,
    stop: Annotated[bool, typer.Option("--stop", help="Ask the running worker to end.")] = False,
) -> int:
    """Run the engine as a service, for every project of the workspace."""
    from opconsole.cli.worker import run_worker

    return run_worker(_context(ctx), stop=stop)


@app.command(
    add_help_option=False,  # it reads its own options, for before every commit it runs without this module
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def check(
    ctx: typer.Context,
    arguments: Annotated[list[str] | None, typer.Argument(metavar="PATH... [OPTIONS]")] = None,
) -> int:
    """Check files and folders by the guardrails alone; no workspace is needed."""
    from opconsole.cli.check import check_command

    context = _context(ctx)
    return check_command(
        arguments or [],
        stdout=context.stdout,
        stderr=context.stderr,
        environ=context.environ,
        as_json=context.json,
    )


@app.command()
def status(
    ctx: typer.Context,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Do not ask the services for their health.")
    ] = False,
) -> int:
    """Show what every environment runs, its health, what runs and what waits."""
    from opconsole.cli.show import show_status

    return show_status(_context(ctx), probe=not no_probe)


@app.command()
def approvals(ctx: typer.Context) -> int:
    """List what waits for a person's approval."""
    from opconsole.cli.show import show_approvals

    return show_approvals(_context(ctx))


@app.command()
def approve(
    ctx: typer.Context,
    task: Id,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="DIGEST", help="The plan that you have seen.")
    ] = None,
    *,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="NAME", help="The environment's name, typed out.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="The SSH key to sign with, private, or public where an agent has it.",
        ),
    ] = None,
) -> int:
    """Approve the plan that a run waits with, or what a change of the settings loosens."""
    from opconsole.cli.decide import approve as act

    return act(_context(ctx), task, plan, reason, environment, key=key)


@app.command()
def reject(ctx: typer.Context, task: Id, reason: Reason) -> int:
    """Reject the plan that a run waits with."""
    from opconsole.cli.decide import reject as act

    return act(_context(ctx), task, reason)


@app.command()
def freeze(ctx: typer.Context, reason: Reason) -> int:
    """Let no effect begin anywhere until somebody unfreezes; what has begun goes on."""
    from opconsole.cli.policy import freeze as act

    return act(_context(ctx), reason, on=True)


@app.command()
def unfreeze(ctx: typer.Context, reason: Reason) -> int:
    """Let effects begin again after a freeze."""
    from opconsole.cli.policy import freeze as act

    return act(_context(ctx), reason, on=False)


@app.command()
def decide(
    ctx: typer.Context,
    task: Id,
    verb: Annotated[str, typer.Argument(metavar="revert|override|abort")],
    reason: Reason,
) -> int:
    """Decide what becomes of a run that is halted or interrupted."""
    from opconsole.cli.decide import decide as act

    if verb not in _VERBS:
        raise UsageError(f"{verb!a} is no decision; allowed: {', '.join(_VERBS)}")
    return act(_context(ctx), task, verb, reason)


@app.command()
def verify(ctx: typer.Context, task: Id, reason: Reason) -> int:
    """Record the manual verification of a production run."""
    from opconsole.cli.decide import verify as act

    return act(_context(ctx), task, reason)


@app.command()
def unlock(
    ctx: typer.Context,
    project: ProjectArgument,
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    reason: Reason,
    foreign: Annotated[
        str | None,
        typer.Option("--foreign", metavar="RUN", help="The run of another workspace that holds the target."),
    ] = None,
) -> int:
    """Vouch that nothing works any more on the run that holds an environment; then decide that run."""
    from opconsole.cli.decide import unlock as act

    return act(_context(ctx), project, environment, reason, foreign=foreign)


@app.command()
def retry(ctx: typer.Context, task: Id) -> int:
    """Run a finished task again, as a new attempt."""
    from opconsole.cli.decide import retry as act

    return act(_context(ctx), task)


@app.command()
def cancel(ctx: typer.Context, task: Id) -> int:
    """Stop a run."""
    from opconsole.cli.decide import cancel as act

    return act(_context(ctx), task)


@app.command()
def rollback(
    ctx: typer.Context,
    project: ProjectArgument,
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="Default: the release before this one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal.")] = False,
) -> int:
    """Add a rollback task; it waits for approval where its environment's gate asks."""
    from opconsole.cli.decide import rollback as act

    return act(_context(ctx), project, environment, to, yes=yes)


@app.command()
def logs(
    ctx: typer.Context,
    task: Id,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run is over.")] = False,
) -> int:
    """Print the log of a run."""
    from opconsole.cli.logs import show_log

    return show_log(_context(ctx), task, follow=follow)


@app.command()
def report(
    ctx: typer.Context,
    task: Id,
    cascade: Annotated[
        bool,
        typer.Option("--cascade", help="Of all tasks connected with it: what ran, what did not, and why."),
    ] = False,
    form: Annotated[str, typer.Option("--format", metavar="text|markdown|json")] = "text",
) -> int:
    """Tell the story of a run: its plan, steps, decisions, findings, and where things stand."""
    if cascade:
        from opconsole.cli.cascade import show_cascade

        return show_cascade(_context(ctx), task)
    from opconsole.cli.report import show_report

    return show_report(_context(ctx), task, form)


@queue.command("start")
def queue_start(ctx: typer.Context, project: ProjectArgument) -> int:
    """Let a worker run this queue."""
    from opconsole.cli.decide import start

    return start(_context(ctx), project)


@queue.command("pause")
def queue_pause(ctx: typer.Context, project: ProjectArgument) -> int:
    """Start nothing more of this queue; what runs goes on."""
    from opconsole.cli.decide import pause

    return pause(_context(ctx), project)


@queue.command("list")
def queue_list(ctx: typer.Context, project: ProjectOption = None) -> int:
    """List the tasks and where each stands."""
    from opconsole.cli.queue_commands import list_tasks

    return list_tasks(_context(ctx), project)


@queue.command("show")
def queue_show(ctx: typer.Context, task: Id) -> int:
    """Show one task with all its fields."""
    from opconsole.cli.queue_commands import show_task

    return show_task(_context(ctx), task)


@queue.command("add")
def queue_add(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON: a task, a list of them, or a whole queue file.")
    ],
    project: Annotated[
        str | None, typer.Option("--project", help="Default: the file's, or the only one.")
    ] = None,
) -> int:
    """Add the tasks of a file to a queue: all of them, or none; it does not start the queue."""
    from opconsole.cli.queue_add import add_tasks

    return add_tasks(_context(ctx), file, project)


@queue.command("validate")
def queue_validate(
    ctx: typer.Context, files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE...]")] = None
) -> int:
    """Name every fault of queue files; without a FILE, of the workspace's."""
    from opconsole.cli.queue_commands import validate

    return validate(_context(ctx), files or [])


@queue.command("graph")
def queue_graph(
    ctx: typer.Context, file: Annotated[Path | None, typer.Argument(metavar="[FILE]")] = None
) -> int:
    """Show the order in which tasks may run; without a FILE, of the workspace's."""
    from opconsole.cli.queue_commands import graph

    return graph(_context(ctx), file)


def _context(ctx: typer.Context) -> CommandContext:
    if not isinstance(ctx.obj, CommandContext):
        raise TypeError("a command was called without its context")
    return ctx.obj


_VERBS = ("revert", "override", "abort")
