"""Fuzzes the guardrails' splitter and readers: whatever the text, no crash, no hang, no place outside of it.

python -m benchmarks.fuzz_guardrails [--set input] [--seconds N] [--target NAME…] [--venv DIR] [--keep DIR]

The set *input* is every reader of what comes from outside: the sanitiser, queue files, settings, versions,
logs, masks, references to secrets.

Half of the time hypothesis makes texts, from the rules' own examples cut up and put together anew; the other
half atheris does, guided by what of the readers each text reaches. atheris is put into an environment of its
own (--venv: one that is there already, or shall be kept); where it cannot be had, the reason is printed and
hypothesis has all the time. Each target runs in a process of its own, so that a hang can be ended, and the
text that hung be told. Exit status: 1 where anything was found; --keep says where the texts are left.
"""

# ruff: noqa: PLC0415 - an engine is loaded only by its own worker

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fuzz_input_targets import EscapeError
from benchmarks.fuzz_targets import LONGEST, SETS, TARGETS, PlaceError, seeds

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ROOT = Path(__file__).parents[1]
SLOW = 2.0
"""Seconds of the processor that no text of a few thousand characters may take."""
HANGS = 30
"""Seconds after which a text is taken to hang."""
MAY_START = 20
"""Seconds in which a fuzzer has to be under way; they do not count."""


@dataclass(frozen=True)
class Fault:
    """Something that a text did to a reader."""

    target: str
    engine: str
    what: str
    """The error and where it came from; a hang; a place outside of the text; or what came through."""
    text: str


def main() -> int:
    """Run as a worker or, for people, as the one who starts workers; give the exit status."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--seconds", type=float, default=60, help="for all of it; default: 60")
    words.add_argument("--set", choices=sorted(SETS), default="guardrails", help="default: guardrails")
    words.add_argument("--target", action="append", choices=sorted(TARGETS), help="default: all of the set")
    words.add_argument("--venv", type=Path, help="an environment that has, or shall get, atheris")
    words.add_argument("--keep", type=Path, help="a folder for the texts that did something")
    words.add_argument("--worker", choices=("hypothesis", "atheris"), help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.worker:
        worker = Worker(given.target[0], given.worker, given.folder)
        (with_hypothesis if given.worker == "hypothesis" else with_atheris)(worker, given.seconds)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        return run(given.target or SETS[given.set], given.seconds, given.venv, given.keep, Path(scratch))


def run(names: Sequence[str], seconds: float, place: Path | None, keep: Path | None, scratch: Path) -> int:
    """Give each target its share of the time, and print what came out."""
    python, problem = environment(place or scratch / "venv")
    engines = {"hypothesis": sys.executable} | ({"atheris": str(python)} if python else {})
    if problem:
        print(f"atheris: skipped, {problem}")
    share = seconds / len(names) / len(engines)
    print(f"{len(names)} targets, {share:.1f} s each with {' and with '.join(engines)}")
    found = []
    for name in names:
        for engine, program in engines.items():
            folder = scratch / f"{name}-{engine}"
            folder.mkdir()
            count, faults = work(program, name, engine, share, folder)
            print(f"{name:15} {engine:11} {count:>9} texts   {len(faults)} faults", flush=True)
            found += faults
    for number, fault in enumerate(found):
        print(f"\n{fault.target} ({fault.engine}): {fault.what}\n  {ascii(fault.text)[:600]}")
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            text = fault.text.encode("utf-8", "surrogatepass")
            (keep / f"{fault.target}-{number}.txt").write_bytes(text)
    return 1 if found else 0


def environment(place: Path) -> tuple[Path | None, str]:
    """Give a Python that has atheris and can load what this one can; None with the reason where none can."""
    python = place / "bin" / "python"
    try:
        if not python.exists():
            venv.create(place, with_pip=True)
        if subprocess.run([str(python), "-c", "import atheris"], capture_output=True, check=False).returncode:
            install = [str(python), "-m", "pip", "install", "--quiet", "atheris"]
            subprocess.run(install, capture_output=True, text=True, check=True, timeout=300)
        said = [
            subprocess.run(
                [program, "-c", "import sys; print(sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for program in (str(python), sys.executable)
        ]
    except subprocess.CalledProcessError as error:
        return None, ((error.stderr or "").strip().splitlines() or [str(error)])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    return (python, "") if said[0] == said[1] else (None, "it is there for another version of Python")


def work(program: str, name: str, engine: str, seconds: float, folder: Path) -> tuple[int | str, list[Fault]]:
    """Let a process fuzz one target; give how many texts it tried, and what they did."""
    argv = [program, "-m", "benchmarks.fuzz_guardrails", "--worker", engine, "--target", name]
    argv += ["--seconds", str(seconds), "--folder", str(folder)]
    paths = [str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    # What a fuzzer writes is kept in a file: a pipe that nobody reads would stop it.
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            argv,
            stdout=said,
            stderr=said,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        ended = ""
        try:
            if process.wait(seconds + MAY_START + 2 * HANGS):
                ended = f"the process ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = "it hangs"
    faults = [Fault(**one) for one in _lines(folder / "faults")]
    if ended:
        current = folder / "current"
        text = current.read_bytes().decode("utf-8", "surrogatepass") if current.exists() else ""
        last = (folder / "said").read_text(errors="replace").strip().splitlines()[-3:]
        faults.append(Fault(name, engine, f"{ended}: {' / '.join(last)}", text))
    counted = folder / "count"
    return (counted.read_text() if counted.exists() else 0), faults


class Worker:
    """Feeds one target, and keeps what goes wrong: of each fault the shortest text."""

    def __init__(self, name: str, engine: str, folder: Path) -> None:
        self.name = name
        self.engine = engine
        self.folder = folder
        self.count = 0
        self.faults: dict[str, Fault] = {}
        self.known: set[str] = set()
        """What has been made as short as it gets."""
        self._current = os.open(folder / "current", os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    def feed(self, text: str) -> str:
        """Try one text; give what went wrong, or nothing."""
        data = text.encode("utf-8", "surrogatepass")
        os.ftruncate(self._current, 0)
        os.pwrite(self._current, data, 0)
        start = time.process_time()  # of our own work: on a busy machine the clock says nothing
        what = ""
        try:
            TARGETS[self.name](text)
        except Exception as error:  # noqa: BLE001 - any of them is what is looked for
            what = _described(error)
        took = time.process_time() - start
        if not what and took > SLOW:
            what = f"slow: more than {SLOW:g} seconds"
        self.count += 1
        if self.count % 50 == 0:
            self.write()
        if what and (what not in self.faults or len(text) < len(self.faults[what].text)):
            self.faults[what] = Fault(self.name, self.engine, what, text)
            self.write()
        return what

    def write(self) -> None:
        """Leave what is known so far where the starter finds it."""
        (self.folder / "count").write_text(str(self.count))
        lines = [json.dumps(asdict(fault)) for fault in self.faults.values()]
        (self.folder / "faults").write_text("\n".join(lines))


def with_hypothesis(worker: Worker, seconds: float) -> None:
    """Let hypothesis make texts of parts and of examples that are cut up, and shorten what goes wrong."""
    from hypothesis import strategies as st

    examples = seeds(worker.name)
    parts = sorted({part for text in examples for part in re.findall(r"\s+|\w+|[^\w\s]+", text)})
    pieces = st.one_of(st.sampled_from(parts), st.sampled_from(examples), st.text(max_size=6))
    odd = st.sampled_from(
        ["\0", "\r\n", "\n", "$$", "'", '"', "`", "/*", "*/", "--", "\\", "{{", "}}", "é", "𝕏"]
    )

    @st.composite
    def cut_up(draw: st.DrawFn) -> str:
        text = draw(st.sampled_from(examples))
        for _ in range(draw(st.integers(1, 4))):
            start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
            text = text[:start] + draw(st.one_of(odd, pieces, st.just(text[start:end] * 2))) + text[end:]
        return text[:LONGEST]

    texts = st.one_of(cut_up(), st.lists(st.one_of(pieces, odd), max_size=40).map("".join))
    for text in examples[:20]:  # loads what there is to load, which is no text's own time
        worker.feed(text)
    worker.faults = {what: fault for what, fault in worker.faults.items() if not what.startswith("slow")}
    _attempt(worker, texts, 5, time.monotonic() + MAY_START)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _attempt(worker, texts, 200, end)
    worker.write()


def _attempt(worker: Worker, texts: SearchStrategy[str], count: int, end: float) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    @seed(random.getrandbits(64))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(texts)
    def attempt(text: str) -> None:
        if time.monotonic() < end and (what := worker.feed(text)) and what not in worker.known:
            raise AssertionError(what)

    try:
        attempt()
    except BaseExceptionGroup as group:  # several faults at once
        worker.known |= {str(error) for error in group.exceptions}
    except AssertionError as error:
        worker.known.add(str(error))
    except Exception as error:  # noqa: BLE001 - hypothesis' own: a fault that does not come again
        worker.known.add(next(iter(worker.faults), str(error)))


def with_atheris(worker: Worker, seconds: float) -> None:
    """Let atheris change texts by what of the readers they reach."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["guardrails", "queues", "opconsole"]):
        TARGETS[worker.name]("")
        for text in seeds(worker.name)[:20]:  # loads what there is to load, which is no text's own time
            worker.feed(text)
    worker.faults = {what: fault for what, fault in worker.faults.items() if not what.startswith("slow")}
    worker.write()
    corpus = worker.folder / "corpus"
    corpus.mkdir()
    for number, text in enumerate(seeds(worker.name)):
        (corpus / str(number)).write_bytes(text.encode("utf-8", "replace"))
    options = [f"-max_total_time={max(1, round(seconds))}", f"-max_len={LONGEST}", f"-timeout={HANGS}"]
    atheris.Setup(
        [sys.argv[0], *options, "-rss_limit_mb=4096", "-verbosity=0", str(corpus)],
        lambda data: worker.feed(data.decode("utf-8", "replace")) and None,
    )
    atheris.Fuzz()


def _described(error: Exception) -> str:
    """Name an error by its kind and by the last of our own functions that it came through."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT) and "/.venv/" not in frame.filename
    ]
    at = frames[-1]
    note = f": {error}" if isinstance(error, PlaceError | EscapeError) else ""
    return f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno} {at.name}{note}"


def _lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    sys.exit(main())
