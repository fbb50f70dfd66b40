"""Kill the worker at every commit of its journal and at random moments, make other trouble, and look.

Run it with ``python benchmarks/chaos.py [--random 300] [--troubles 10] [--seed N] [--jobs 2] [--minutes M]``.
It prints what broke as it goes and a table at its end, and ends with status 1 where anything broke. Stories
are repeated with the seed that is printed; they are shuffled, so that one cut short has tried some of all.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# In place of this folder, whose guardrails.py would hide the package of that name.
sys.path[0] = str(Path(__file__).parent.parent / "tests" / "chaos")

from chaoslab.disks import NotPossibleError  # noqa: E402 - found only now
from chaoslab.stories import STORIES, Death, Lab, Story, Told  # noqa: E402
from chaoslab.troubles import TROUBLES  # noqa: E402


@dataclass(frozen=True, slots=True)
class Case:
    """One story with its deaths."""

    kind: str
    seed: int
    story: Story | None = None
    """None for a trouble, which its kind names."""
    deaths: tuple[Death, ...] = ()
    aftermath: bool = False
    """A healthy version follows, which must succeed."""

    def __str__(self) -> str:
        return f"{self.kind}, seed {self.seed} {' '.join(map(_shown, self.deaths))}"

    async def play(self, lab: Lab) -> Told:
        """Play it."""
        if self.story is None:
            return await TROUBLES[self.kind].play(lab, self.seed)
        return await lab.play(self.story, self.deaths, seed=self.seed, aftermath=self.aftermath)


@dataclass(slots=True)
class Tally:
    """What came of the cases of one kind."""

    played: int = 0
    deaths: int = 0
    commits: int = 0
    decisions: int = 0
    seconds: float = 0.0
    broken: int = 0
    ends: Counter[str] = field(default_factory=Counter)


async def main(options: argparse.Namespace) -> int:
    """Play everything and print the figures."""
    seed = options.seed if options.seed is not None else secrets.randbelow(2**32)
    print(f"seed {seed}")
    started = time.monotonic()
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory(prefix="opconsole-chaos-", ignore_cleanup_errors=True) as folder:
        labs = [Lab(Path(folder) / str(number)) for number in range(options.jobs)]
        await asyncio.gather(*(lab.baseline() for lab in labs))
        stories = [STORIES[name] for name in options.story or STORIES]
        dry = {story.name: await labs[0].play(story) for story in stories}
        for name, told in dry.items():
            print(f"{name}: {told.commits} commits in {told.seconds:.1f} s; {told.ends} {told.faults or ''}")
        choice = random.Random(seed)
        cases = list(_boundaries(stories, dry, options.every))
        cases += _random(stories, dry, options.random, choice)
        seeds = [choice.randrange(2**32) for _ in range(options.troubles)]
        cases += [Case(name, one) for name in ([] if options.story else TROUBLES) for one in seeds]
        choice.shuffle(cases)
        waiting = _until(started + options.minutes * 60, cases)
        await asyncio.gather(*(_work(lab, waiting, tallies) for lab in labs))
        for lab in labs:
            lab.close()
    _print(tallies, time.monotonic() - started)
    return 1 if any(tally.broken for tally in tallies.values()) else 0


def _until(deadline: float, cases: Sequence[Case]) -> Iterator[Case]:
    for number, case in enumerate(cases):
        if time.monotonic() > deadline:
            print(f"{len(cases) - number} stories are left out, for the time is up")
            return
        yield case


def _boundaries(stories: Sequence[Story], dry: dict[str, Told], every: int) -> Iterator[Case]:
    for story in stories:
        for number in range(1, dry[story.name].commits + 1, every):
            for when in ("before", "after"):
                how = "exit" if number % 3 == 0 else "kill"
                yield Case(
                    f"commit: {story.name}", number, story, (Death(number, when, how),), number % 5 == 0
                )


def _random(
    stories: Sequence[Story], dry: dict[str, Told], count: int, choice: random.Random
) -> Iterator[Case]:
    for _ in range(count):
        seed = choice.randrange(2**32)
        own = random.Random(seed)
        story = own.choice(stories)
        longest = dry[story.name].seconds
        power = own.random() < 0.4
        deaths = [
            Death(after=own.uniform(0.0, longest), power=power) for _ in range(own.choice((1, 1, 2, 3, 5)))
        ]
        kind = "random, all processes" if power else "random"
        yield Case(f"{kind}: {story.name}", seed, story, tuple(deaths), own.random() < 0.2)


async def _work(lab: Lab, waiting: Iterator[Case], tallies: dict[str, Tally]) -> None:
    for case in waiting:
        try:
            told = await case.play(lab)
        except NotPossibleError as why:
            print(f"left out: {case.kind}: {why}", flush=True)
            continue
        tally = tallies.setdefault(case.kind, Tally())
        tally.played += 1
        tally.deaths += told.deaths
        tally.commits += told.commits
        tally.decisions += len(told.decisions)
        tally.seconds += told.seconds
        tally.ends[told.ends.split(" ")[0].partition(":")[2] or "nothing"] += 1
        if told.faults:
            tally.broken += 1
            print(f"BROKEN {case}\n    {told.ends}")
            for line in [*told.faults, *told.decisions]:
                print(f"    {line}")
            sys.stdout.flush()


def _shown(death: Death) -> str:
    return f"{death.when}-{death.commit}-{death.how}" if death.commit else f"{death.after:.2f}s"


def _print(tallies: dict[str, Tally], seconds: float) -> None:
    print("| kind | played | kills | commits crossed | decisions | ended as | broken |")
    print("|---|---|---|---|---|---|---|")
    for name, tally in sorted(tallies.items()):
        ends = ", ".join(f"{count} {end.replace('_', ' ')}" for end, count in tally.ends.most_common())
        print(f"| {name} | {' | '.join(map(str, _figures(tally)))} | {ends} | {tally.broken} |")
    sums = [sum(column) for column in zip(*map(_figures, tallies.values()), strict=True)]
    broken = sum(tally.broken for tally in tallies.values())
    print(f"| all, in {seconds / 60:.0f} minutes | {' | '.join(map(str, sums))} | | {broken} |")


def _figures(tally: Tally) -> tuple[int, int, int, int]:
    return tally.played, tally.deaths, tally.commits, tally.decisions


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--random", type=int, default=300, help="stories with deaths at random moments")
    parser.add_argument("--troubles", type=int, default=10, help="how often every other trouble is made")
    parser.add_argument("--every", type=int, default=1, help="of the commits, only every so-manyth")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=2, help="workspaces at the same time")
    parser.add_argument("--minutes", type=float, default=120.0, help="no story begins after so many")
    parser.add_argument("--story", action="append", choices=sorted(STORIES))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_options())))
