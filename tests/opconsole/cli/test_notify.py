"""Trying out who is told."""

from __future__ import annotations

CHANNELS = """
[notifications.channels.ops]
url = "env:OPS_URL"
quiet = "22:00-07:00"
[notifications.channels.chat]
url = "env:CHAT_URL"
"""


def _configured(desk) -> None:
    desk.settings((desk.root / "opconsole.toml").read_text() + CHANNELS)


def test_a_test_says_of_each_channel_whether_it_took_the_message(desk, receiver) -> None:
    _configured(desk)
    desk.environ |= {"OPS_URL": receiver.url("ops"), "CHAT_URL": "json://127.0.0.1:1/token-token"}
    found = desk.give("notify", "test")
    assert found.status == 1
    assert found.out == "ops: taken\n", found.err
    assert found.err.startswith("chat: ")
    assert found.err.count("\n") == 1
    assert "\\n" not in found.err
    assert "token-token" not in found.err
    assert receiver.titles("ops") == ["[P3] workspace: a test"]
    assert desk.give("notify", "test", "ops").status == 0
    both = desk.give("notify", "test", "--json").document
    assert [(one["channel"], one["taken"]) for one in both] == [("ops", True), ("chat", False)]


def test_what_is_missing_is_said_with_the_next_step(desk) -> None:
    assert "add [notifications.channels.NAME]" in desk.give("notify", "test").err
    _configured(desk)
    unknown = desk.give("notify", "test", "opps")
    assert (unknown.status, "allowed: ops, chat" in unknown.err) == (2, True)
    unset = desk.give("notify", "test", "ops")
    assert unset.status == 1
    assert "env:OPS_URL: the variable is not set" in unset.err


def test_a_url_that_no_plugin_knows_is_named_without_being_shown(desk) -> None:
    _configured(desk)
    desk.environ["OPS_URL"] = "gopher-token://abc"
    found = desk.give("notify", "test", "ops")
    assert "Apprise does not know the URL that env:OPS_URL holds" in found.err
    assert "gopher-token" not in found.err


def test_the_channels_are_listed_with_what_each_is_told(desk) -> None:
    assert "Nobody is told of anything" in desk.give("notify", "channels").out
    _configured(desk)
    assert "22:00-07:00" in desk.give("notify", "channels").out
    ops, chat = desk.give("notify", "channels", "--json").document
    assert (ops["events"], ops["url"]) == (["approval-waiting"], "env:OPS_URL")
    assert "succeeded" in chat["events"]
