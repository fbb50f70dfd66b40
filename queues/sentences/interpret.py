"""Turns a sentence into tasks, a question or a refusal. Pure: what is known comes in as a value.

Nothing is guessed. What is missing is asked for, what is unknown is named with the nearest known, what
contradicts itself, or is conditional, negated or timed, is refused as a whole.
"""

from __future__ import annotations

import re

from guardrails.environments import GateKind
from guardrails.gates import GATES
from queues.sentences.carry_out import CARRY_OUT
from queues.sentences.guards import GUARDS
from queues.sentences.known import Known
from queues.sentences.order import Order, unknown_text
from queues.sentences.outcome import (
    AskedBackError,
    Outcome,
    RefusedSentenceError,
    Result,
    did_you_mean,
    listing,
)
from queues.sentences.parsing import UnparsedError, grammar, parse
from queues.sentences.said import ORDERS, Environments, Mark, Statement, Unknown, Verb
from queues.sentences.word import Word

LONGEST = 20_000
"""Characters of a sentence, its business case included."""


def interpret(text: str, known: Known) -> Outcome:
    """Give what becomes of a text: tasks, a question, or a refusal. Never raises for any text."""
    try:
        return _outcome(_clean(text), known)
    except AskedBackError as asked:
        return Outcome(Result.ASK, missing=tuple(asked.missing), message=str(asked))
    except RefusedSentenceError as refusal:
        return Outcome(Result.REFUSE, message=str(refusal))


def completed(text: str, missing: str, answer: str) -> str:
    """Add the answer to a question to a sentence, as one more line of it."""
    label = _ANSWERS.get(missing, missing.replace("_", " ").capitalize() + ":")
    return f"{text}\n{label} {answer}" if answer else text


def _clean(text: str) -> str:
    plain = (
        text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").replace("\u00a0", " ").strip()
    )
    for fancy, simple in _QUOTES.items():
        plain = plain.replace(fancy, simple)
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'`" and plain[0] not in plain[1:-1]:
        plain = plain[1:-1].strip()
    if len(plain) > LONGEST:
        raise RefusedSentenceError(f"that is {len(plain):,} characters; allowed: {LONGEST:,}")
    if any(not (character.isprintable() or character == "\n") for character in plain):
        raise RefusedSentenceError("the sentence holds control characters; allowed: what can be seen")
    if not plain:
        raise AskedBackError({"action": f"What is to be done? {_EXAMPLES}"})
    if _LOOP.search(plain):
        raise RefusedSentenceError(
            "that is a command, not a sentence: opconsole run --project PROJECT [--max-iterations N]"
        )
    return plain


def _outcome(text: str, known: Known) -> Outcome:
    try:
        statements = parse(text, known)
    except UnparsedError as error:
        if error.word is None and error.before:
            _ask_for_the_end(text, error.before[-1], known)
        raise RefusedSentenceError(_why_not(error, known)) from None
    order, companions = _sorted(statements, known)
    if order is None:
        return _without_order(companions, known)
    fragments = [one for one in companions if one.verb is Verb.FRAGMENT]
    parts = order.parts + tuple(part for one in fragments for part in one.parts)
    others = tuple(one for one in companions if one.verb is not Verb.FRAGMENT)
    whole = Order(order.verb, parts, others, known)
    _check_gates(others, known)
    tasks, notes = CARRY_OUT[order.verb](order, whole)
    if any(Mark.APPROVAL in one.parts for one in statements):
        notes = (
            *notes,
            "A sentence approves nothing: what needs an approval asks for it when its plan stands.",
        )
    return Outcome(Result.TASKS, tuple(tasks), message="\n".join(notes))


def _sorted(statements: tuple[Statement, ...], known: Known) -> tuple[Statement | None, list[Statement]]:
    """Find the one order among the statements; what only goes with it stays a companion."""
    order: Statement | None = None
    companions: list[Statement] = []
    for one in statements:
        kept = one
        if one.verb is Verb.RUN:
            kept = _run(one, order)
        if kept.verb not in ORDERS or (order is not None and _goes_with(kept, order)):
            companions.append(kept)
        elif order is None:
            order = kept
        else:
            raise RefusedSentenceError(
                f"those are two orders, to {order.verb.value} and to {kept.verb.value}: say them one by one; "
                "nothing was added"
            )
    return order, companions


def _run(one: Statement, order: Statement | None) -> Statement:
    """Tell running migrations from running checks, which go with any deployment."""
    if Mark.MIGRATIONS in one.parts:
        return one
    if Mark.CHECKS in one.parts and len(one.parts) == 1:
        return Statement(Verb.FRAGMENT, one.parts)
    for part in one.parts:
        if isinstance(part, Unknown):
            raise RefusedSentenceError(f"{part.word!a} cannot be run; a sentence can run migrations")
    if order is None:
        raise AskedBackError(
            {"migrations": "Run what? Say “Run database migrations for PROJECT ENVIRONMENT”"}
        )
    raise RefusedSentenceError("“run” stands there without “migrations”; nothing was added")


def _goes_with(one: Statement, order: Statement) -> bool:
    """Say whether an order is part of the deployment that was ordered before."""
    if order.verb is not Verb.DEPLOY:
        return False
    if one.verb is Verb.DEPLOY:
        return Mark.FIRST in one.parts
    return one.verb is Verb.RUN


def _without_order(companions: list[Statement], known: Known) -> Outcome:
    """Answer a text that orders nothing: gates are shown, the rest is asked for."""
    _check_gates(tuple(companions), known)
    if companions and all(one.verb in (Verb.GATES, Verb.HALT, Verb.NOTE) for one in companions):
        notes = [_gates_text(known)] if any(one.verb is Verb.GATES for one in companions) else []
        if any(Mark.APPROVAL in one.parts for one in companions):
            notes.append("A sentence approves nothing; opconsole approvals lists what waits.")
        return Outcome(Result.TASKS, message="\n".join(["That orders nothing; nothing was added.", *notes]))
    for one in companions:
        for part in one.parts:
            if isinstance(part, Unknown):
                near = did_you_mean(part.word, _VERBS)
                raise RefusedSentenceError(
                    f"{part.word!a} begins no order{near}; allowed: {listing(_VERBS)}"
                    if near or companions[0].parts[0] is part
                    else unknown_text(part, known)
                )
    raise AskedBackError({"action": f"What is to be done? {_EXAMPLES}"})


def _check_gates(companions: tuple[Statement, ...], known: Known) -> None:
    """Refuse a statement about gates that is not true."""
    for one in companions:
        if one.verb is not Verb.GATES:
            continue
        for part in one.parts:
            names = part.names if isinstance(part, Environments) else ()
            for project in known.projects.values():
                for name in names or tuple(project.environments):
                    gate = project.environments.get(name)
                    if gate is not None and not GATES[gate].auto_rollback:
                        raise RefusedSentenceError(
                            f"{name} never rolls back by itself: there a person decides; nothing was added"
                        )


def _gates_text(known: Known) -> str:
    """Write the gates of all environments, for people."""
    kinds = {name: kind for project in known.projects.values() for name, kind in project.environments.items()}
    lines = []
    for name, kind in kinds.items():
        gate = GATES[kind]
        back = (
            "rolls back by itself" if gate.auto_rollback else "never rolls back by itself: a person decides"
        )
        lines.append(f"{name}: {_DEPLOYS[kind]}; after a failure it {back}.")
    return "\n".join(lines)


def _ask_for_the_end(text: str, last: Word, known: Known) -> None:
    """Ask for what a sentence that breaks off lacks. Returns only where nothing can be said."""
    head = text.rstrip(" \n.!")
    while " " in head and not head.endswith(last.text):  # an article behind it
        head = head.rpartition(" ")[0]
    if not head.endswith(last.text) or last.type not in ("PREPOSITION", "FROM", "_COMMA", "_AND", "_WITH"):
        return
    shorter = interpret(head[: -len(last.text)], known)
    if shorter.result is Result.ASK:
        raise AskedBackError(dict(zip(shorter.missing, shorter.message.split("\n"), strict=False)))
    raise AskedBackError({"sentence": f"The sentence ends after {last.text!a}: how does it go on?"})


def _why_not(error: UnparsedError, known: Known) -> str:
    """Say of the word in the way why it is there no order, and what to say instead."""
    word = error.word
    if word is None:
        strange = next((one for one in error.before if one.type == "NAME"), None)
        if strange is not None:
            return unknown_text(Unknown(strange.text), known)
        return f"the sentence breaks off; {_EXAMPLES}"
    nearby = (word, *reversed(error.before), *error.after)
    said = [one for one in nearby if one.text.lower() in GUARDS or one.text == "?"]
    if word.type == "_APPROVE" or (word.type in ("_APPROVAL", "_EXPLICIT") and not said):
        return (
            "a sentence can never approve: opconsole approvals lists what waits, and opconsole approve ID "
            "shows its plan; nothing was added"
        )
    if said:
        return _guarded(said[0], error)
    where = f" behind {error.before[-1].text!a}" if error.before else ""
    near = did_you_mean(word.text, _candidates(error, known))
    return f"{word.text!a} is not understood{where}{near}; nothing was added. {_EXAMPLES}"


def _guarded(guard: Word, error: UnparsedError) -> str:
    if guard.text == "?":
        return "that is a question, not an order: say what to do; nothing was added"
    after = error.word.text.lower() if error.word else ""
    if guard.text.lower() in ("without", "no") and (after == guard.text.lower() or "migration" in after):
        return (
            f"{guard.text!a} makes the sentence negated. A deployment runs migrations only where the "
            "sentence says “with migrations”: leave it out; nothing was added"
        )
    kind = GUARDS[guard.text.lower()].value
    return (
        f"{guard.text!a} makes the sentence {kind}, and such an order is never half obeyed: "
        "say what is to be done now, or leave that part out; nothing was added"
    )


def _candidates(error: UnparsedError, known: Known) -> tuple[str, ...]:
    _, lexicon = grammar()
    words = {word for word, kind in lexicon.vocabulary.items() if kind in error.expected and len(word) > 2}
    if "PROJECT" in error.expected:
        words |= set(known.projects)
    if "ENVIRONMENT" in error.expected:
        words |= set(known.environments)
    return tuple(sorted(words))


_VERBS = (
    "Deploy",
    "Run",
    "Migrate",
    "Validate",
    "Roll back",
    "Rollback",
    "Promote",
    "Provision",
    "Downgrade",
)
_EXAMPLES = "For example: Deploy PROJECT version 1.2.3 to development"
_ANSWERS = {"version": "Version:", "from": "from", "migrations": "with migrations"}
_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
_LOOP = re.compile(r"^\s*(?:python3?\s+)?autonomous_loop\.py\b")
_DEPLOYS = {
    GateKind.DEVELOPMENT: "deploys by itself",
    GateKind.STAGING: "deploys by itself after the first success, which a person approves",
    GateKind.PRODUCTION: "every deployment, migration and rollback waits for a person's approval",
}
