"""Troubles other than a dying host: clocks, terminals, clones, editors, git, several people, full disks."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chaoslab.disks import NotPossibleError, fill, small_disk
from chaoslab.hosts import REFUSED, Host, strays
from chaoslab.operating import Operator
from chaoslab.project import Workspace
from chaoslab.stories import GUARDED, QUICK, Death, Lab, Stage, Story, Told
from chaoslab.terminals import in_terminal
from opconsole.journal.hosting import host_alive
from opconsole.journal.records import ApprovalState, RequestKind


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong, and how it is played with a seed."""

    name: str
    play: Callable[[Lab, int], Awaitable[Told]]


async def a_clock_that_is_set_back(lab: Lab, seed: int) -> Told:
    """Each host's clock is hours away from that of the one before."""
    choice = random.Random(seed)
    ahead, back = choice.uniform(600, 90_000), choice.uniform(600, 90_000)
    deaths = [Death(choice.randint(8, 16), clock=ahead), Death(choice.randint(3, 9), clock=-back)]
    return await lab.play(GUARDED, deaths, seed=seed)


async def two_workers(lab: Lab, seed: int) -> Told:
    """Two are started at once: one is refused; the other is killed while two more come."""
    choice = random.Random(seed)
    async with lab.played(QUICK, seed=seed) as stage:
        living = await _one_of(stage, [stage.start(), stage.start()])
        death = Death(after=choice.uniform(0.0, 1.5))
        if not await stage.follow(living, death=death):
            stage.told.deaths += 1
            living = await _one_of(stage, [stage.start(), stage.start()])
            await stage.follow(living)
        await living.end()
        stage.told.commits += living.commits
    return stage.told


async def _one_of(stage: Stage, hosts: list[Host]) -> Host:
    """Wait until one of two hosts was refused, and give the other."""
    await stage.until(lambda: any(host.gone for host in hosts), "no host has ended")
    stage.must(sorted(REFUSED in host.told for host in hosts) == [False, True], "not just one was refused")
    [living] = [host for host in hosts if REFUSED not in host.told]
    return living


async def two_consoles_and_two_workers(lab: Lab, seed: int) -> Told:
    """Two people approve and decide the same at once, while one worker dies and another takes its place."""
    choice = random.Random(seed)
    async with lab.played(GUARDED, seed=seed) as stage:
        stage.another = Operator(stage.workspace, stage.place, stage.reader, seed=seed + 1, name="ben")
        living = await _one_of(stage, [stage.start(), stage.start()])
        if not await stage.follow(living, death=Death(after=choice.uniform(0.2, 2.5))):
            stage.told.deaths += 1
            living = await _one_of(stage, [stage.start(), stage.start()])
            await stage.follow(living)
        await living.end()
        stage.told.commits += living.commits
        run = _run_of(stage)
        approvals = [one for one in stage.reader.approvals_of(run) if one.state is ApprovalState.APPROVED]
        told = [row for row in stage.reader.audit() if (row.action, row.subject) == ("approved", run)]
        stage.must(
            len(told) == len(approvals), f"{len(told)} approvals are told, {len(approvals)} were given"
        )
    return stage.told


def _run_of(stage: Stage) -> str:
    run = stage.reader.latest_run("app", "TWO")
    stage.must(run, "TWO has no run")
    return run.id if run else ""


async def the_terminal_of_run(lab: Lab, seed: int) -> Told:
    """The terminal of `opconsole run` goes away: its program goes on, and the next host adopts it."""
    async with lab.played(QUICK, seed=seed) as stage:
        stage.workspace.hold.touch()
        with in_terminal(stage.workspace, "run", "--project", "app") as terminal:
            await stage.restarting()
            terminal.hang_up()
            await stage.until(lambda: terminal.ended, "opconsole run has not ended")
        living = strays(stage.workspace).values()
        stage.must(any("restart.sh" in line for line in living), "its program was ended, too")
        stage.workspace.hold.unlink()
        await stage.through(())
        _succeeded(stage)
    return stage.told


async def the_terminal_of_the_console(lab: Lab, seed: int) -> Told:
    """The console's terminal goes away: the worker that it started carries the deployment to its end."""
    async with lab.played(QUICK, seed=seed) as stage:
        stage.workspace.hold.touch()
        stage.operator.ask(None, RequestKind.START, {"project": "app"})
        with in_terminal(stage.workspace) as terminal:
            await stage.restarting()
            terminal.hang_up()
            await stage.until(lambda: terminal.ended, "the console has not ended")
        stage.must(host_alive(stage.place), "the worker ended with the console")
        stage.workspace.hold.unlink()
        await stage.until(lambda: stage.operator.settled(["TWO"]), "the deployment has not come to its end")
        with in_terminal(stage.workspace, "worker", "--stop") as stopping:
            await stage.until(lambda: stopping.ended, "the worker does not end")
        _succeeded(stage)
    return stage.told


def _succeeded(stage: Stage) -> None:
    run = stage.reader.latest_run("app", "TWO")
    stage.must(run and run.state.value == "succeeded", f"TWO is {run and run.state.value}")


async def a_second_clone(lab: Lab, seed: int) -> Told:
    """Another clone deploys to a target that a dead host's run holds: it is refused there."""
    async with lab.played(QUICK, seed=seed) as stage:
        workspace = stage.workspace
        shutil.copytree(workspace.root, workspace.live / "clone")
        clone = Workspace(workspace.base)
        clone.root = workspace.live / "clone"
        workspace.hold.touch()
        first = stage.start()
        await stage.restarting()
        first.signal(9)
        await first.wait(60)
        stage.told.deaths += 1
        with lab.opened(create=True, of=clone) as (place, reader):
            second = lab.nursery.start(clone)
            other = Stage(lab, place, reader)
            other.operator.ask(None, RequestKind.START, {"project": "app"})
            await other.until(lambda: (run := reader.latest_run("app", "TWO")) and run.state.final, "TWO")
            run = reader.latest_run("app", "TWO")
            stage.must(run and run.state.value == "failed", "the clone deployed to a target of another's")
            stage.must(run and "another workspace" in run.reason, f"the clone is told only: {run}")
            await second.end()
        workspace.hold.unlink()
        await stage.through(())
        _succeeded(stage)
    return stage.told


def _turned_back(how: str) -> Callable[[Lab, int], Awaitable[Told]]:
    async def play(lab: Lab, seed: int) -> Told:
        """The queue file is turned back again and again while hosts die; nothing starts anew."""
        choice = random.Random(seed)
        story: Story = choice.choice((QUICK, GUARDED))
        async with lab.played(story, seed=seed) as stage:
            workspace = stage.workspace
            if how == "git":
                if shutil.which("git") is None:
                    raise NotPossibleError("git is not installed here")
                workspace.git("init", "-q")
                workspace.git("add", "tasks")
                workspace.git("commit", "-qm", "queue")
            stale = workspace.queue_file.read_text()

            def turn_back() -> None:
                if how == "git":
                    workspace.git("checkout", "-q", "--", "tasks")
                else:
                    workspace.queue_file.write_text(stale)

            stage.meddle = lambda: choice.random() < 0.2 and turn_back()
            await stage.through([Death(after=choice.uniform(0.0, 1.0)) for _ in range(2)])
            host = stage.start()
            turn_back()
            await stage.reloaded()
            stage.must(workspace.entries()["TWO"]["status"] == "pending", "the file was not left as it is")
            await stage.follow(host)
            await host.end()
            stage.must(len(stage.reader.runs_of("TWO")) == 1, "the deployment was started a second time")
        return stage.told

    return play


def _full(which: str) -> Callable[[Lab, int], Awaitable[Told]]:
    async def play(lab: Lab, seed: int) -> Told:
        """A disk fills up during a deployment: no effect starts without its record, and none is lost."""
        with lab.opened() as (place, _):
            places = {"journal": lab.workspace.state, "log": place.runs}
        folder = places.get(which, lab.workspace.queue_file.parent)
        size = "24m" if which == "journal" else "1m"
        async with lab.played(QUICK, seed=seed, within=small_disk(folder, size)) as stage:
            stage.workspace.hold.touch()
            host = stage.start()
            await stage.restarting()
            filling = fill(folder)
            stage.workspace.hold.unlink()
            if which == "queue":
                await stage.until(
                    lambda: any(row.error for row in stage.reader.open_outbox()), "no failed echo"
                )
            else:
                await stage.until(lambda: _rests(stage), "the run has not come to rest")
                _nothing_began_without_record(stage)
            filling.unlink()
            await stage.follow(host)
            await host.end()
            stage.told.commits += host.commits
        return stage.told

    return play


def _rests(stage: Stage) -> bool:
    run = stage.reader.latest_run("app", "TWO")
    return run is not None and (run.state.final or run.state.undecided)


def _nothing_began_without_record(stage: Stage) -> None:
    run = stage.reader.latest_run("app", "TWO")
    checked = any(line.program == "health" and run and line.run == run.id for line in stage.workspace.lines())
    if run is None or run.state.final:
        return
    stage.must("full" in run.reason or "space" in run.reason, f"the disk is not named: {run.reason}")
    begun = [one.started_at for one in stage.reader.steps(run.id) if one.name == "health"]
    stage.must(not checked or any(begun), "an effect began without a record")


TROUBLES = {
    one.name: one
    for one in (
        Trouble("clock set back", a_clock_that_is_set_back),
        Trouble("two workers", two_workers),
        Trouble("two consoles, two workers", two_consoles_and_two_workers),
        Trouble("terminal of run", the_terminal_of_run),
        Trouble("terminal of the console", the_terminal_of_the_console),
        Trouble("second clone", a_second_clone),
        Trouble("stale editor", _turned_back("editor")),
        Trouble("git checkout", _turned_back("git")),
        Trouble("full disk: journal", _full("journal")),
        Trouble("full disk: log", _full("log")),
        Trouble("full disk: queue file", _full("queue")),
    )
}


async def play_trouble(lab: Lab, name: str, seed: int) -> Told:
    """Play one by its name. Raises NotPossibleError where this machine cannot."""
    async with asyncio.timeout(1800):
        return await TROUBLES[name].play(lab, seed)
