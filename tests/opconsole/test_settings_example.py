"""The annotated example is the reference: it loads, names every key, and shows the model's own defaults."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import BaseModel

import opconsole.settings.approvals
import opconsole.settings.model
import opconsole.settings.notifications
import opconsole.settings.targets
from opconsole.settings import Settings, SettingsError, SettingsFault, parse_settings
from opconsole.settings.locate import key_lines
from opconsole.settings.targets import ExtensionTarget, Section

FOLDER = Path(opconsole.settings.model.__file__).parent
EXAMPLE = (FOLDER / "example.toml").read_text(encoding="utf-8")


def is_key(line: str) -> bool:
    name, equals, _ = line.removeprefix("# ").partition(" = ")
    return bool(equals) and name.isidentifier()


def uncommented(text: str) -> str:
    lines = (line.removeprefix("# ") if is_key(line) else line for line in text.splitlines())
    return "\n".join(lines) + "\n"


def load(text: str) -> Settings:
    return parse_settings(text, file=Path("example.toml"), environ={})


def models() -> set[type[BaseModel]]:
    settings = opconsole.settings
    modules = (settings.model, settings.approvals, settings.notifications, settings.targets)
    found = {one for module in modules for one in vars(module).values() if inspect.isclass(one)}
    named = {
        one for one in found if issubclass(one, (Section, Settings)) and not one.__name__.startswith("_")
    }
    # Its keys are the extension's; the example says so in words.
    return named - {Section, ExtensionTarget}


def given(value: object) -> Iterator[tuple[type[BaseModel], str]]:
    """Name every field that was given a value somewhere in the settings."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield type(value), name
            yield from given(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from given(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from given(item)


def test_the_example_loads() -> None:
    assert list(load(EXAMPLE).projects["karematch"].environments) == ["development", "production"]


def test_what_is_commented_out_in_the_example_is_the_default() -> None:
    assert load(uncommented(EXAMPLE)) == load(EXAMPLE)
    assert uncommented(EXAMPLE) != EXAMPLE


def test_every_field_of_the_model_occurs_in_the_example() -> None:
    every = {(model, name) for model in models() for name in model.model_fields}
    missing = every - set(given(load(uncommented(EXAMPLE))))
    assert not missing


def test_a_key_with_a_default_is_commented_out_or_its_comment_names_the_default() -> None:
    lines = EXAMPLE.splitlines()
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if not is_key(line):
            continue
        key = line.removeprefix("# ").partition(" ")[0]
        above = comment_above(lines, number)
        if key in seen or line.startswith("# "):
            assert above or key in seen, f"line {number + 1}: {key} is not explained"
        elif key.isupper():
            continue  # a variable: its table is explained
        else:
            assert "efault" in above, f"line {number + 1}: {key} does not say its default"
        seen.add(key)


def comment_above(lines: list[str], number: int) -> str:
    comment: list[str] = []
    while number > 0 and lines[number - 1].startswith("#") and not is_key(lines[number - 1]):
        number -= 1
        comment.insert(0, lines[number])
    return "\n".join(comment)


def test_every_field_of_the_model_says_what_it_means() -> None:
    for file in ("model.py", "approvals.py", "targets.py"):
        tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
        for one in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for field, after in zip(one.body, [*one.body[1:], None], strict=True):
                if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                    continue
                if field.target.id == "type":
                    continue  # the class says what it means
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert told, f"{file}: {one.name}.{field.target.id}"


def test_the_lines_of_the_example_are_found() -> None:
    text = uncommented(EXAMPLE)
    lines = key_lines(text)
    numbered = text.splitlines()
    development = ("projects", "karematch", "environments", "development")
    assert numbered[lines[*development, "health", 1, "port"] - 1] == "port = 8001"
    assert numbered[lines[*development, "target", "keep"] - 1] == "keep = 5"
    for path in paths(tomllib.loads(text)):
        assert path in lines, path


def paths(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*at, key)
        yield from paths(item, (*at, key))


HARD = r'''
top = 1   # [not.a.table]
"quoted \u0041 # ] = key" = "a = 1 # no comment"
a.b . "c.d" = 2
text = """
[no.table]
x = 1 \""" still
""""
raw = \'\'\'
[nor.this] \'\'\'
list = [ # a comment ]
  1, 2,
  { x = 1, y.z = [ "]" ] }, "}",
]
[ t . 'u' ]
k = 2020-01-01 10:00:00
empty = {}
none = []
[[t.many]]
n = 1
[[t.many]]
n = 2
[t.many.sub]
s = ""
[[t.many.deep]]
d = \'a\\\'
'''.replace("\\'", "'")


def test_lines_are_counted_through_all_that_toml_allows() -> None:
    lines = key_lines(HARD)
    for path in paths(tomllib.loads(HARD)):
        assert path in lines, path
    assert lines["top",] == 2
    assert lines["quoted A # ] = key",] == 3
    assert lines["a", "b", "c.d"] == 4
    assert lines["raw",] == 9
    assert lines["list", 2, "y", "z", 0] == 13
    assert lines["t", "u"] == 15
    assert lines["t", "many", 0, "n"] == 20
    assert lines["t", "many", 1, "sub", "s"] == 24
    assert lines["t", "many", 1, "deep", 0, "d"] == 26


SCALARS = st.sampled_from(
    ["1", "-1", "true", '"x"', '"../x"', "[]", '["a"]', "{}", '{type = "tcp"}', "nan", "''"]
)


@given_by(number=st.integers(0, len(EXAMPLE.splitlines()) - 1), value=SCALARS, key=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_whatever_stands_on_a_line_is_loaded_or_named(number: int, value: str, key: bool) -> None:
    lines = uncommented(EXAMPLE).splitlines()
    name, equals, old = lines[number].partition(" = ")
    lines[number] = (
        f"{name}{equals}{value}" if equals and not key else f"{name}x{equals or ' = '}{old or value}"
    )
    assert all(fault.file == "example.toml" and fault.line for fault in faults("\n".join(lines)))


def faults(text: str) -> tuple[SettingsFault, ...]:
    try:
        load(text)
    except SettingsError as error:
        return error.faults
    return ()
