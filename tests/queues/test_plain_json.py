"""Large files are read in another way: it gives what the careful way gives, or leaves the file to it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queues import queue_parser
from queues.plain_json import read_plain
from queues.queue_file import QueueFile, parse_queue
from queues.queue_parser import MAX_BYTES, MAX_DEPTH


def plainly(text: str) -> dict[str, object] | None:
    return read_plain(text.encode(), MAX_DEPTH)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": [true, false, null], "c": {"d": "e"}}',
        '{"a":"texts with colons: b : 1, and {brackets[","b" :\t"c"}',
        '\n{ "a" : -0.0, "b": 1e3, "c": 123456789012345678901234567890 }\n',
        '\ufeff{"a": "\\ud83d\\ude00 \u00e9"}',
        '{"a": 1.7976931348623157e308, "b": 5e-324, "c": 1e-400}',
        "{}",
    ],
)
def test_what_is_plain_is_read_as_the_standard_library_reads_it(text: str) -> None:
    read = plainly(text)
    assert json.dumps(read) == json.dumps(json.loads(text.removeprefix("\ufeff")))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "a" : 2}',
        '{"a": 1, "a"\n:2, "text": ": no key"}',
        '{"x": [[{"a": {"b": 1, "\\u0062": 1}}]]}',
        '{"a": NaN}',
        '{"a": [1e999]}',
        '{"a": {"b": -1e999}}',
        '{"a": "\\ud800"}',
        '{"a": 1} {}',
        '{"a": 1,}',
        '{"a": "\t"}',
        '{"a": %s}' % ("9" * 5000),
        '{"a": ' + "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH + "}",
        '{"a": ' + "[" * 100_000 + "1" + "]" * 100_000 + "}",
        '{"a": "no key, but like one: \\"b\\" : 1"}',
        "[]",
        "1",
        "",
    ],
)
def test_what_is_in_doubt_is_left_to_the_careful_way(text: str) -> None:
    assert plainly(text) is None


def test_bytes_that_are_no_text_and_too_many_containers_are_left_to_it() -> None:
    assert read_plain(b'{"a": "\xff"}', MAX_DEPTH) is None
    assert read_plain(b'{"a": "\xed\xa0\x80"}', MAX_DEPTH) is None
    assert read_plain(b'{"a": [%s[]]}' % (b"[]," * 4_000_000), MAX_DEPTH) is None


words = st.sampled_from(["a", "b", "id", ":", '":', "{", "[", " :", "\\", '"', "\u00e9", "1e999"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=4)


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 3) -> str:
    """Give the text of a value, with any white space, keys that may be there twice, and any numbers."""
    space = draw(st.sampled_from(["", " ", "\n\t", "\r\n  "]))
    kind = draw(st.sampled_from(["scalar", "list", "object"])) if depth else "scalar"
    if kind == "scalar":
        number = draw(st.sampled_from(["", "", "", "1e999", "-0", "1E5", "01", "-"]))
        return space + (number or json.dumps(draw(scalars), ensure_ascii=draw(st.booleans())))
    parts = draw(st.lists(json_texts(depth=depth - 1), max_size=3))
    if kind == "list":
        return f"{space}[{','.join(parts)}{space}]"
    keys = [json.dumps(draw(words)) for _ in parts]
    return (
        space
        + "{"
        + f",{space}".join(f"{key}{space}:{part}" for key, part in zip(keys, parts, strict=True))
        + "}"
    )


def parsed(data: bytes, large: int) -> QueueFile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue_parser, "LARGE", large)
        return parse_queue(data, name="work_queue_shop.json")


@settings(max_examples=400, deadline=None)
@given(st.lists(json_texts(), max_size=4), st.sampled_from(["", "\ufeff"]))
def test_both_ways_give_the_same_tasks_values_and_errors(values: list[str], mark: str) -> None:
    entries = [f'{{"id": "T{number}", "x": {value}}}' for number, value in enumerate(values)]
    data = f'{mark}{{"features": [{",".join(entries)}]}}'.encode(errors="surrogatepass")
    careful, quick = parsed(data, MAX_BYTES), parsed(data, 0)
    assert quick == careful
    assert [repr(task.raw) for task in quick.tasks] == [repr(task.raw) for task in careful.tasks]
