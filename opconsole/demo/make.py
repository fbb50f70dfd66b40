"""Make the demo workspace: a project with its history, three environments on free ports, and its queues.

Nothing in it is simulated: the project is a small web service with tests, a build and Alembic migrations, and
the settings written here deploy it with the same steps as anything else.
"""

from __future__ import annotations

import json
import shutil
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from opconsole.demo.errors import DemoError
from opconsole.demo.history import write_history
from opconsole.demo.settings_text import DemoEnvironment, settings_text

PROJECT = "credentialmate"
MARKER = ".opconsole-demo.json"
"""The file that tells a demo workspace from any other folder."""

_NAMES = ("development", "staging", "production")
_NEXT_WITH_GIT = ("cascade-2.2.0.json", "broken-2.3.0.json", "blocked-2.4.0.json")
# Without git there is one tree. It can be released again under another version, and that is all.
_NEXT_WITHOUT_GIT = ("cascade-2.1.1.json",)


@dataclass(frozen=True, slots=True)
class DemoWorkspace:
    """A demo workspace on disk."""

    directory: Path
    source: str
    """``git``, or ``folder`` where git is missing."""
    python: Path
    """The interpreter whose environment tests, build, migrations and services run in."""
    environments: tuple[DemoEnvironment, ...]
    """In the order of the cascade."""
    created: bool
    """False when the directory held this demo already."""

    @property
    def project(self) -> Path:
        """The demo project's checkout."""
        return self.directory / "projects" / PROJECT

    @property
    def queue_file(self) -> Path:
        """The queue that holds the guide's cascade."""
        return self.directory / "tasks" / f"work_queue_{PROJECT}.json"

    @property
    def next_files(self) -> tuple[Path, ...]:
        """Queue entries to add once the first cascade is done, in the order to try them."""
        names = _NEXT_WITH_GIT if self.source == "git" else _NEXT_WITHOUT_GIT
        return tuple(self.directory / "next" / name for name in names)


def default_directory() -> Path:
    """Name a new folder in the user's data directory; nothing is created."""
    from platformdirs import user_data_path  # noqa: PLC0415 - only who asks for the default pays for it

    base = user_data_path("opconsole", appauthor=False)
    names = ("demo", *(f"demo-{number}" for number in range(2, 10_000)))
    free = next((base / name for name in names if not (base / name).exists()), None)
    if free is None:
        raise DemoError(f"{base}: too many demos: remove some of them, or name a folder with --dir")
    return free


def make_demo(
    directory: Path | None = None,
    *,
    python: Path = Path(sys.executable),
    git: str | None = shutil.which("git"),
) -> DemoWorkspace:
    """Write the demo workspace into ``directory`` (default: a new one), or open the one that is there.

    ``python`` is the interpreter of a virtual environment that has Alembic; ``git`` the program to write the
    project's history with, or None to go without. Raises DemoError, and leaves nothing half-made behind.
    """
    # Links are followed once, here: what the settings name must not move later.
    directory = (directory or default_directory()).expanduser().resolve()
    if (directory / MARKER).exists():
        return open_demo(directory)
    _refuse_unfit(directory)
    existed = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return _write(directory, python, git)
    except BaseException as problem:
        _clear(directory, keep=existed)
        if isinstance(problem, OSError):
            raise DemoError(f"{directory}: the demo could not be written: {problem}") from problem
        raise


def open_demo(directory: Path) -> DemoWorkspace:
    """Read what a demo workspace says about itself; raises DemoError where there is none."""
    marker = directory / MARKER
    try:
        told = json.loads(marker.read_text(encoding="utf-8"))
        directory = directory.resolve()
        environments = tuple(
            _environment(directory, one["name"], one["port"]) for one in told["environments"]
        )
        return DemoWorkspace(directory, told["source"], Path(told["python"]), environments, created=False)
    except FileNotFoundError as problem:
        raise DemoError(f"{directory} is no demo workspace: it has no {MARKER}") from problem
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise DemoError(
            f"{marker} cannot be read ({problem}): make a new demo in another folder"
        ) from problem


def free_ports(count: int) -> tuple[int, ...]:
    """Find ports of 127.0.0.1 that nothing listens on now, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)


def _refuse_unfit(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise DemoError(f"{directory} is a file: name a folder that is new or empty")
    if directory.is_dir() and next(directory.iterdir(), None) is not None:
        raise DemoError(f"{directory} is not empty and no demo: name a folder that is new or empty")
    if not str(directory).isprintable() or "?" in str(directory):
        raise DemoError(
            f"{str(directory)!r}: a database's URL cannot hold such a name: choose another folder"
        )


def _write(directory: Path, python: Path, git: str | None) -> DemoWorkspace:
    environments = tuple(
        _environment(directory, name, port)
        for name, port in zip(_NAMES, free_ports(len(_NAMES)), strict=True)
    )
    source = "folder" if git is None else "git"
    # Not resolved: the interpreter of a virtual environment is a link, and its place is what counts.
    demo = DemoWorkspace(directory, source, python.absolute(), environments, created=True)
    with resources.as_file(resources.files("opconsole.demo") / "template") as template:
        write_history(template, demo.project, git)
        _copy_queues(template / "workspace", demo)
    for environment in environments:
        environment.shared.mkdir(parents=True)
    settings = settings_text(PROJECT, source, _prefix(demo.python), environments)
    (directory / "opconsole.toml").write_text(settings, encoding="utf-8")
    told = {
        "source": source,
        "python": str(demo.python),
        "environments": [{"name": one.name, "port": one.port} for one in environments],
    }
    unfinished = directory / f"{MARKER}.new"
    unfinished.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    _close_to_others(directory)
    # Last: with it the folder counts as a whole demo.
    unfinished.replace(directory / MARKER)
    return demo


def _environment(directory: Path, name: str, port: int) -> DemoEnvironment:
    return DemoEnvironment(str(name), int(port), directory / "targets" / str(name))


def _copy_queues(template: Path, demo: DemoWorkspace) -> None:
    demo.queue_file.parent.mkdir(parents=True)
    shutil.copyfile(template / "tasks" / demo.queue_file.name, demo.queue_file)
    (demo.directory / "next").mkdir()
    for wanted in demo.next_files:
        shutil.copyfile(template / "next" / wanted.name, wanted)


def _close_to_others(directory: Path) -> None:
    # With a loose umask everybody could change them, and then the settings and queues would not be trusted.
    for path in (directory, *directory.rglob("*")):
        mode = path.lstat().st_mode
        if mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~stat.S_IWOTH)


def _prefix(python: Path) -> Path:
    # <prefix>/bin/python, for a virtual environment and for an installed Python alike.
    return python.parent.parent


def _clear(directory: Path, *, keep: bool) -> None:
    for entry in list(directory.iterdir()) if directory.is_dir() else []:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not keep and directory.is_dir():
        directory.rmdir()


__all__: Sequence[str] = (
    "MARKER",
    "PROJECT",
    "DemoEnvironment",
    "DemoError",
    "DemoWorkspace",
    "default_directory",
    "free_ports",
    "make_demo",
    "open_demo",
)
