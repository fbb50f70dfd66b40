"""Joins the words that belong together, so that the grammar needs to look only one word ahead.

"Roll back", "S3 bucket" and "all database migrations" become one word each; a comma or an "and" between two
names of one kind becomes JOIN, before a verb the end of a sentence. Articles and "please" are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from queues.sentences.word import SEP, Word


def is_phrase(words: Sequence[str]) -> bool:
    """Say whether these words, in lower case, are one of the fixed phrases."""
    return any(phrase == tuple(words) for phrase, _, _ in _PHRASES)


def joined(words: Sequence[Word]) -> list[Word]:
    """Join what belongs together, and leave out what says nothing."""
    plain = _unwrapped([word for word in words if word.type != "NOISE"])
    out: list[Word] = []
    place = 0
    while place < len(plain):
        taken, made = _phrase_at(plain, place) or (1, [plain[place]])
        place += taken
        out += made
    return _labelled(_listed(out))


def _unwrapped(words: Sequence[Word]) -> list[Word]:
    """Take out the ends of lines that a sentence goes on behind: those after a comma or before an "and"."""
    out: list[Word] = []
    for place, word in enumerate(words):
        after = words[place + 1].type if place + 1 < len(words) else "_SEP"
        before = out[-1].type if out else "_SEP"
        wrapped = word == SEP and (before in _GO_ON or (before != "_SEP" and after in ("_AND", "_COMMA")))
        if not wrapped:
            out.append(word)
    return out


def _phrase_at(words: Sequence[Word], place: int) -> tuple[int, list[Word]] | None:
    """Give the words of a fixed phrase that begins here: how many it is of, and what they become."""
    first = words[place]
    for phrase, kind, value in _PHRASES:
        part = words[place : place + len(phrase)]
        if tuple(word.text.lower() for word in part) == phrase:
            return len(phrase), [Word(kind, " ".join(word.text for word in part), value)]
    if first.type in ("_ALL", "DATABASE", "NAME", "MIGRATIONS"):
        end = place
        while end < len(words) and (
            words[end].type in ("_ALL", "DATABASE") or words[end].text.lower() in _OF_MIGRATIONS
        ):
            end += 1
        if end < len(words) and words[end].type == "MIGRATIONS":
            wanted = place > 0 and words[place - 1].type == "_WITH"  # then it is no "migrations path"
            if not wanted and end + 1 < len(words) and words[end + 1].type == "_PATH_NOUN":
                return end - place + 2, [words[end + 1]]
            return end - place + 1, [replace(words[end], text="migrations")]
    last = next((word.type for word in reversed(words[:place]) if word.type != "QUALITY"), "")
    if last == "_PROVISION" and first.text.lower() in _SHORT_RESOURCES:
        return 1, [replace(first, type="RESOURCE", value=_SHORT_RESOURCES[first.text.lower()])]
    following = words[place + 1].type if place + 1 < len(words) else ""
    if first.type in ("PREVIOUS", "LATEST") and following in ("_VERSION_NOUN", "DEPLOYMENT"):
        return 2, [first]
    return None


def _listed(words: Sequence[Word]) -> list[Word]:
    """Turn the commas and "and"s between two names of one kind into JOIN, those before a verb into SEP."""
    out: list[Word] = []
    place = 0
    conditional = False
    while place < len(words):
        word = words[place]
        if word.type == "_SEP":
            conditional = False
        elif word.type == "_IF":
            conditional = True
        if word.type in _LINKS:
            end = place
            while end < len(words) and words[end].type in (*_LINKS, "PREPOSITION"):
                end += 1
            following = words[end].type if end < len(words) else "_SEP"
            links = words[place:end]
            if following == _kind_before(out) and following in ("PROJECT", "ENVIRONMENT"):
                ordered = any(one.type in ("_THEN", "ARROW") for one in links)
                out.append(Word("JOIN_IN_ORDER" if ordered else "JOIN", "and", "and"))
                place = end
                continue
            if following == "ENVIRONMENT" and [one.type for one in links] == ["ARROW"]:
                out.append(replace(word, type="PREPOSITION", value="to"))
                place = end
                continue
            if following in _VERBS and not conditional and links[-1].type != "PREPOSITION":
                out.append(SEP)
                place = end
                continue
        out.append(word)
        place += 1
    return out


def _kind_before(words: Sequence[Word]) -> str:
    """Give the kind of the name that stands before, a noun like "environment" behind it passed over."""
    for word in reversed(words):
        if word.type not in ("_ENVIRONMENT_NOUN", "_PROJECT_NOUN"):
            return word.type
    return ""


def _labelled(words: Sequence[Word]) -> list[Word]:
    """Tell "environment: staging" and "environment staging" from "staging environment"; drop last colons."""
    out: list[Word] = []
    place = 0
    while place < len(words):
        word = words[place]
        after = [one.type for one in words[place + 1 : place + 3]] + ["_SEP", "_SEP"]
        if word.type == "_COLON" and after[0] == "_SEP":
            place += 1
            continue
        label = _LABELS.get(word.type)
        if label is not None and _kind_before(out) not in (label[0], "_ALL", "_THREE", "NAME", "HOLE"):
            colon = after[0] == "_COLON"
            if after[1 if colon else 0] in (label[0], "NAME", "HOLE"):
                out.append(replace(word, type=label[1]))
                place += 2 if colon else 1
                continue
        out.append(word)
        place += 1
    return out


def parted(words: Sequence[Word]) -> list[Word]:
    """Leave one SEP between sentences, and none at the ends."""
    out: list[Word] = []
    for word in words:
        if word.type != "_SEP":
            out.append(replace(word, start=not out or out[-1].type == "_SEP"))
        elif out and out[-1].type != "_SEP":
            out.append(word)
    while out and out[-1].type == "_SEP":
        out.pop()
    return out


_PHRASES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("roll", "back"), "_ROLLBACK", "rollback"),
    (("rolled", "back"), "_ROLLBACK", "rollback"),
    (("roll", "out"), "_DEPLOY", "deploy"),
    (("business", "case"), "CASE", "case"),
    (("amazon", "s3", "bucket"), "RESOURCE", "s3_bucket"),
    (("s3", "bucket"), "RESOURCE", "s3_bucket"),
    (("rds", "instance"), "RESOURCE", "rds_instance"),
    (("rds", "database", "instance"), "RESOURCE", "rds_instance"),
    (("rds", "database"), "RESOURCE", "rds_instance"),
    (("lambda", "function"), "RESOURCE", "lambda_function"),
    (("iam", "policy", "change"), "RESOURCE", "iam_policy"),
    (("iam", "policy"), "RESOURCE", "iam_policy"),
)
_SHORT_RESOURCES = {"bucket": "s3_bucket", "rds": "rds_instance", "lambda": "lambda_function"}
_OF_MIGRATIONS = frozenset({"alembic", "pending", "outstanding", "sql"})
_LINKS = ("_COMMA", "_AND", "_THEN", "ARROW")
_GO_ON = ("_COMMA", "_AND", "PREPOSITION", "FROM", "_WITH")
_VERBS = frozenset(
    {"_DEPLOY", "_RUN", "_MIGRATE", "_DOWNGRADE", "_VALIDATE", "_ROLLBACK", "_ROLL", "_PROMOTE", "_PROVISION"}
    | {"_WAIT", "_IF", "_I"}
)
_LABELS = {
    "_ENVIRONMENT_NOUN": ("ENVIRONMENT", "ENVIRONMENT_LABEL"),
    "_PROJECT_NOUN": ("PROJECT", "PROJECT_LABEL"),
}
