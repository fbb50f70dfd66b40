"""Takes defences out, one at a time, and shows that the test named after the attack fails without each.

python tests/security/mutate.py [--quick] [NUMBER…]

Each mutation is made in a copy of the checkout, so nothing here is changed. Each test is first run as the
code is: it has to pass (--quick leaves that out). Exit status: 1 where a test passes although its defence is
gone, fails although it is there, or a mutation no longer fits the code.
"""
# ruff: noqa: T201 - it prints a table

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 300.0
"""Seconds that a test may take; a defence against hanging may be the one that is gone."""


@dataclass(frozen=True)
class Mutation:
    """A defence that is taken out: text that is replaced in a file, and the test that has to notice."""

    attack: int
    defence: str
    file: str
    old: str
    new: str
    test: str


INPUT = "tests/security/test_input.py"
TERMINAL = "tests/security/test_terminal.py"
MUTATIONS = (
    Mutation(
        1,
        "log lines are sanitised",
        "opconsole/logs.py",
        "return sanitise(self.text, colours=colours, single_line=False, limit=limit)",
        "return self.text",
        f"{TERMINAL}::test_01_osc_52_clipboard_write_in_a_build_log[logs]",
    ),
    Mutation(
        4,
        "what may be the beginning of a sequence is held back",
        "guardrails/sanitise.py",
        "elif not final and _unfinished().fullmatch(text, at):",
        "elif False:",
        "tests/security/test_text_everywhere.py::test_04_wherever_the_chunks_of_everything_hostile_end_the_same_comes_out",
    ),
    Mutation(
        5,
        "a carriage return is shown",
        "guardrails/sanitise.py",
        'out.append("\\\\r")',
        'out.append("\\r")',
        "tests/guardrails/test_sanitise.py::test_05_carriage_return_and_backspaces_cannot_overwrite_failed",
    ),
    Mutation(
        6,
        "what a file says is quoted in ASCII",
        "queues/task_fields.py",
        "text = json.dumps(value[:80])",
        "text = value[:80]",
        f"{INPUT}::test_06_bidi_or_zero_width_characters_in_an_environment_name",
    ),
    Mutation(
        8,
        "no markup is parsed from data",
        "screens/words.py",
        'return piece if piece == "\\n" else safe(piece)',
        "return Content.from_markup(piece)",
        "tests/screens/test_operations.py::test_hostile_texts_neither_crash_nor_reach_the_terminal",
    ),
    Mutation(
        10,
        "versions have a grammar",
        "queues/task_fields.py",
        "if _VERSION.fullmatch(plain) and",
        "if _VERSION.match(plain) and",
        f"{INPUT}::test_10_a_version_that_is_a_command",
    ),
    Mutation(
        11,
        "a version begins with a letter or digit",
        "queues/task_fields.py",
        '_VERSION = re.compile(r"[0-9A-Za-z][',
        '_VERSION = re.compile(r"[0-9A-Za-z-][',
        f"{INPUT}::test_11_a_version_that_is_an_option",
    ),
    Mutation(
        12,
        "a host does not begin with a dash",
        "opconsole/settings/types.py",
        '_HOST = re.compile(r"[A-Za-z0-9_:][',
        '_HOST = re.compile(r"[-A-Za-z0-9_:= ][',
        f"{INPUT}::test_12_a_host_that_is_an_option",
    ),
    Mutation(
        14,
        "a path stays in its project",
        "queues/task_fields.py",
        'and ".." not in value.split("/")',
        "",
        f"{INPUT}::test_14_a_migrations_path_that_leaves_the_project",
    ),
    Mutation(
        20,
        "the mode of queue files is looked at",
        "guardrails/trusted.py",
        "if file.st_mode & stat.S_IWOTH:",
        "if False:",
        f"{INPUT}::test_20_nothing_of_a_queue_file_that_others_may_write_is_run",
    ),
    Mutation(
        21,
        "the size of queue files is bounded",
        "queues/queue_file.py",
        "if status.st_size > MAX_BYTES:",
        "if False:",
        f"{INPUT}::test_21_a_gigabyte_of_json",
    ),
    Mutation(
        22,
        "a task does not depend on itself",
        "queues/queue_parser.py",
        "if strange or task.key in task.depends_on:",
        "if strange:",
        f"{INPUT}::test_22_dependency_cycle_duplicate_id_and_dependency_on_itself_or_on_nothing",
    ),
    Mutation(
        19,
        "the sandbox is part of the plan",
        "opconsole/basis.py",
        '"sandbox": {"setting": project.sandbox.value, "is": kept_in(project.sandbox)},',
        "",
        "tests/opconsole/pipeline/test_comparison.py::test_another_sandbox_voids_the_approval_and_what_changed_is_named",
    ),
    Mutation(
        25,
        "who comes to a known AWS account is held to its rules",
        "opconsole/policy.py",
        "if other != name and comes_to &",
        "if False and comes_to &",
        "tests/opconsole/test_policy.py::test_a_new_project_does_not_provision_in_a_known_account_by_looser_rules",
    ),
    Mutation(
        26,
        "DO blocks are read",
        "guardrails/sql/read.py",
        '    "DO": _do,\n',
        '    "DO": lambda code: iter(()),\n',
        f"{INPUT}::test_26_sql_hidden_in_comments_do_blocks_and_dollar_quotes",
    ),
    Mutation(
        27,
        "secrets are masked",
        "opconsole/shim.py",
        "if not self._secrets:\n            return chunk",
        "return chunk",
        "tests/security/test_secrets.py::test_27_a_secret_is_masked_in_every_spelling_whole_and_in_chunks[plain]",
    ),
    Mutation(
        27,
        "secrets are masked in base64 wherever they begin",
        "opconsole/masks.py",
        "for before in range(3):",
        "for before in range(1):",
        "tests/security/test_secrets.py::test_27_a_secret_is_masked_in_every_spelling_whole_and_in_chunks",
    ),
    Mutation(
        27,
        "files with secrets go with their program",
        "opconsole/shim.py",
        "self.take_back()\n        self._record(ending",
        "self._record(ending",
        "tests/opconsole/test_programs.py::test_27_after_kill_9_of_the_worker_the_files_still_go_with_their_program",
    ),
    Mutation(
        28,
        "programs get a clean environment",
        "opconsole/programs.py",
        "for name, value in ours.items() if _KEPT.fullmatch(name) and",
        "for name, value in ours.items() if",
        "tests/security/test_surroundings.py::test_28_no_loader_interpreter_git_or_cloud_variable_reaches_a_step",
    ),
    Mutation(
        29,
        "links that leave an artifact through other links are refused",
        "opconsole/trees.py",
        "if not Path(os.path.realpath(link)).is_relative_to(root):",
        "if False:",
        f"{INPUT}::test_29_an_artifact_with_links_setuid_files_or_devices_is_never_deployed",
    ),
    Mutation(
        29,
        "setuid files are refused",
        "opconsole/trees.py",
        "if mode & (stat.S_ISUID | stat.S_ISGID):",
        "if False:",
        f"{INPUT}::test_29_an_artifact_with_links_setuid_files_or_devices_is_never_deployed",
    ),
    Mutation(
        30,
        "each entry's hash is computed again",
        "opconsole/audit.py",
        "if row.hash != true_hash:",
        "if False:",
        "tests/security/test_audit_chain.py::test_30_an_audit_log_that_was_edited_or_truncated_is_found",
    ),
    Mutation(
        30,
        "checkpoints have to be signed",
        "opconsole/checkpoints.py",
        "return Trust.SIGNED if who is not None else Trust.FORGED",
        "return Trust.SIGNED",
        "tests/security/test_audit_chain.py::test_30_with_a_key_only_signed_checkpoints_count",
    ),
    Mutation(
        30,
        "the time that decides never runs backwards",
        "opconsole/clock.py",
        "if self._last is not None:",
        "if False:",
        "tests/security/test_30_clock_set_back.py::test_a_request_made_by_a_clock_set_back_is_not_old_when_it_is_set_right",
    ),
    Mutation(
        32,
        "one worker holds the workspace's lock",
        "opconsole/journal/hosting.py",
        "fcntl.flock(descriptor, kind | fcntl.LOCK_NB)",
        "pass",
        "tests/security/test_processes.py::test_32_two_consoles_and_two_workers_on_one_workspace",
    ),
)


def main(numbers: list[str]) -> int:
    """Try them all, or those of the attacks that are named; print a table."""
    quick, numbers = "--quick" in numbers, [one for one in numbers if one != "--quick"]
    chosen = [one for one in MUTATIONS if not numbers or str(one.attack) in numbers]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="opconsole-mutants-") as folder:
        copy = Path(folder) / "copy"
        make_copy(copy)
        for one in chosen:
            started = time.monotonic()
            sound = quick or run(one.test, copy) == "PASSES"
            verdict = tried(one, copy) if sound else "fails anyway"
            survived += verdict != "fails"
            took = time.monotonic() - started
            print(f"{one.attack:>2}  {one.defence:<62} {verdict:<10} {took:5.1f} s", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} tests fail when their defence is taken out")
    return 1 if survived else 0


def make_copy(place: Path) -> None:
    """Copy what git knows of, changes that are not committed included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)


def tried(one: Mutation, copy: Path) -> str:
    """Make the mutation, run its test, take it back; say what became of the test."""
    path = copy / one.file
    text = path.read_text("utf-8")
    if text.count(one.old) != 1:
        return "no longer fits"
    path.write_text(text.replace(one.old, one.new), "utf-8")
    try:
        return run(one.test, copy)
    finally:
        path.write_text(text, "utf-8")


def run(test: str, copy: Path) -> str:
    """Run a test in the copy; say what became of it."""
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    try:
        done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "fails"  # by hanging
    if done.returncode == 1 and " failed" in done.stdout:
        return "fails"
    return "PASSES" if done.returncode == 0 else f"status {done.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
