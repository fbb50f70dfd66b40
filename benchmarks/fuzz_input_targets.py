"""What fuzz_guardrails feeds as its second set: every reader of what comes from outside, and what must hold.

The readers are loaded inside functions: atheris sees only into what is imported after it has begun.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

LOG_LINE = "2026-03-02T14:05:00.120Z o "
_STEERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\U000e0000-\U000e0fff\ud800-\udfff]"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


class EscapeError(AssertionError):
    """Something came through that must not."""


def _sanitise(text: str) -> None:
    from guardrails.sanitise import Sanitiser, sanitise

    for colours in (False, True):
        for single in (False, True):
            clean = sanitise(text, colours=colours, single_line=single)
            _harmless(clean, single=single)
            if sanitise(clean, colours=colours, single_line=single) != clean:
                raise EscapeError("cleaning twice changes more")
            for size in (1, 3, 7):
                pieces = Sanitiser(colours=colours, single_line=single)
                fed = "".join(pieces.feed(text[at : at + size]) for at in range(0, len(text), size))
                if fed + pieces.close() != clean:
                    raise EscapeError(f"chunks of {size} come out otherwise")
    for limit in (0, 1, 17, 80):
        cut = sanitise(text, colours=True, limit=limit)
        if len(cut) > limit:
            raise EscapeError("longer than its limit")
        _harmless(cut, single=False)


def _harmless(text: str, *, single: bool) -> None:
    if _STEERS.search(_COLOUR.sub("", text)) or (single and ("\n" in text or "\t" in text)):
        raise EscapeError("something that steers a terminal is left")


def _queue_file(text: str) -> None:
    from queues.graph import Graph
    from queues.queue_file import parse_queue

    data = text.encode("utf-8", "surrogatepass")
    read = parse_queue(data, name="work_queue_app.json")
    last = data.count(b"\n") + 1
    for error in read.errors:
        shown = f"{error.found}{error.allowed}{error.message}{error.field}"
        if not shown.isascii() or not shown.isprintable() or not 1 <= error.line <= last:
            raise EscapeError(f"an error that cannot be shown, or of line {error.line} of {last}")
    for task in read.tasks:
        if task.kind.ours and (not task.id.isprintable() or task.id != task.id.strip()):
            raise EscapeError("an id that cannot be shown")
        if task.version is not None:
            _plain_version(task.version)
        if task.migrations_path is not None and (
            task.migrations_path.startswith(("/", "~", "-")) or ".." in task.migrations_path.split("/")
        ):
            raise EscapeError("a path that leads out of its project")
    graph = Graph(read.tasks)
    for task in read.tasks:
        graph.ancestors(task.key)


def _settings(text: str) -> None:
    from opconsole.settings.errors import SettingsError
    from opconsole.settings.load import parse_settings

    try:
        parse_settings(text, file=Path("opconsole.toml"), environ={})
    except SettingsError as error:
        _harmless(str(error), single=False)


def _version(text: str) -> None:
    from opconsole.sources import BadVersionError, check_version
    from queues.task_fields import FieldFaultError, read_version

    for read, refusal in ((check_version, BadVersionError), (read_version, FieldFaultError)):
        try:
            taken = read(text)
        except refusal as error:
            if not str(error).isascii():
                raise EscapeError("a refusal that cannot be shown") from error
        else:
            _plain_version(str(taken))


def _plain_version(version: str) -> None:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}", version) or ".." in version:
        raise EscapeError(f"{version!a} was taken for a version")


def _log(text: str) -> None:
    from opconsole.logs import parse_line

    data = text.encode("utf-8", "surrogatepass")
    for line in data.split(b"\n"):
        for given in (line, LOG_LINE.encode() + line):
            read = parse_line(given)
            _harmless(read.display(colours=True, limit=4000), single=False)


def _masks(text: str) -> None:
    from opconsole.masks import masked_forms
    from opconsole.shim import Masker

    secret, _, said = text.partition("\n")
    if len(secret) < 4 or re.search("[\ud800-\udfff]", secret):
        return
    forms = [form.encode() for form in masked_forms([secret])]
    data = said.encode("utf-8", "replace")
    for form in forms[:6]:
        data += b" " + form
    whole = Masker(forms).whole(data)
    for form in forms:
        if form in whole:
            raise EscapeError("a secret is left")
    for size in (3, 11):
        masker = Masker(forms)
        fed = b"".join(masker.feed(data[at : at + size]) for at in range(0, len(data), size))
        if fed + masker.feed(b"", final=True) != whole:
            raise EscapeError(f"chunks of {size} come out otherwise")


def _secret_reference(text: str) -> None:
    from opconsole.settings.secrets import SecretError, SecretFile, SecretRef, parse_value

    try:
        value = parse_value(text)
    except SecretError:
        return
    if isinstance(value, SecretRef | SecretFile) and parse_value(str(value)) != value:
        raise EscapeError("a reference is not read as it was written")


INPUT_TARGETS: dict[str, Callable[[str], None]] = {
    "sanitise": _sanitise,
    "queue-file": _queue_file,
    "settings": _settings,
    "version": _version,
    "log": _log,
    "masks": _masks,
    "secret-reference": _secret_reference,
}
_TASK = {
    "id": "DEPLOY-1",
    "description": "Deploy v1.2.3",
    "status": "pending",
    "agent_type": "deployment",
    "environment": "staging",
    "version": "1.2.3",
    "run_migrations": True,
    "migrations_path": "backend/alembic/versions",
    "depends_on": ["DEPLOY-0"],
    "requires_approval": ["ana"],
    "priority": "P1",
    "max_iterations": 10,
}
INPUT_SEEDS: dict[str, tuple[str, ...]] = {
    "sanitise": (
        "ok\x1b]52;c;cm0gLXJmIH4=\x07after\x1b[31mred\x1b[0m",
        "\x1b]8;;file:///etc/passwd\x1b\\text\x1b]8;;\x1b\\ \x9b2J\x9d0;t\x9c",
        "FAILED\rOK\b\b \u202e\u200b\U000e0041 ✔\ufe0f \x1bP1$r\x1b\\ \x1b[38;2;1;2;3;8m",
        "\x1b[38:5:8m\x1b[8m\x1b(B\x1b7\x1b[?1049h\x1b_x\x1b\\",
    ),
    "queue-file": (
        json.dumps({"project": "app", "features": [{**_TASK, "id": "DEPLOY-0", "depends_on": []}, _TASK]}),
        json.dumps({"project": "app", "features": [_TASK, _TASK, {"id": 3}, 7]}, indent=1),
        '{"tasks": [{"id": "a", "id": "b", "agent_type": "migration", "version": NaN}]}',
        '{"features": [{"id": "p\\u202erod", "agent_type": "rollback", "environment": "pr\\u043ed"}]}',
        "[" * 100,
    ),
    "settings": (
        '[projects.app]\npath = "a"\ntest = ["sh", "t.sh"]\n[projects.app.variables]\nTOKEN = "env:TOKEN"\n',
        '[projects.app.environments.production]\ngate = "production"\n'
        '[projects.app.environments.production.target]\ntype = "releases"\npath = "b"\n',
        '[workspace]\nname = "x"\nmax_parallel = 4\n[policy]\nretries = 2\n[approvals]\napprovers = ["a"]\n',
    ),
    "version": ("1.2.3", "v2.0.0-rc.1+build.5", "1!2.0.post1", "1; rm -rf ~", "--upload-pack=x", "a..b"),
    "log": (LOG_LINE + "x\x1b[2J", "2026-03-02T14:05:00.120Z E \x9b31m", "\x00\x00 o \x07"),
    "masks": ("hunter2-secret\nit is hunter2-secret", "päss wörd/+\nx", "a\"b\\c'd\ntext", "aaaa\naaaaaaa"),
    "secret-reference": (
        "env:NAME",
        "file:~/x",
        "keyring:a/b",
        'command:["pass", "show", "x"]',
        "text:env:A",
    ),
}
