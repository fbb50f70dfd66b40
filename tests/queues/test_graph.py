"""The depends_on graph: order, cycles, unknown ids."""

from __future__ import annotations

import graphlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues.graph import Graph, UnknownTaskError, path_text
from queues.tasks import Task, TaskKey, TaskKind, task_key


def a_task(name: str, *deps: str, project: str = "p", priority: int = 2, position: int = 0) -> Task:
    """A task whose dependencies are ids of its own project, or ``project:ID``."""
    keys = tuple(TaskKey(dep) if ":" in dep else task_key(project, dep) for dep in deps)
    return Task(project, name, TaskKind.DEPLOYMENT, depends_on=keys, priority=priority, position=position)


def keys(*names: str) -> list[TaskKey]:
    return [TaskKey(name if ":" in name else f"p:{name}") for name in names]


def test_the_guides_cascade_is_three_levels() -> None:
    graph = Graph([a_task("PROD", "STAGING"), a_task("DEV"), a_task("STAGING", "DEV")])
    assert graph.levels() == [keys("DEV"), keys("STAGING"), keys("PROD")]
    assert graph.edges == [tuple(keys("STAGING", "PROD")), tuple(keys("DEV", "STAGING"))]


def test_the_document_is_the_one_of_the_contract() -> None:
    graph = Graph([a_task("A"), a_task("B", "A"), a_task("C", "A"), a_task("D", "E"), a_task("E", "D")])
    assert graph.order_json() == {
        "order": [["A"], ["B", "C"]],
        "edges": [["A", "B"], ["A", "C"], ["E", "D"], ["D", "E"]],
        "cycles": [["D", "E"]],
    }


def test_unknown_ids_are_in_the_document_only_when_there_are_any() -> None:
    assert Graph([a_task("A", "GONE")]).order_json() == {
        "order": [],
        "edges": [],
        "cycles": [],
        "unknown": [["A", "GONE"]],
    }


def test_with_several_projects_names_are_written_in_full_unless_one_is_home() -> None:
    graph = Graph([a_task("A", project="api"), a_task("B", "api:A", project="web")])
    assert graph.order_json()["order"] == [["api:A"], ["web:B"]]
    assert graph.order_json("web")["order"] == [["api:A"], ["B"]]


def test_an_empty_queue_has_an_empty_graph() -> None:
    assert Graph([]).order_json() == {"order": [], "edges": [], "cycles": []}
    assert Graph([]).critical_path() == []


def test_a_level_lists_the_most_urgent_first_then_the_earlier_entry_then_by_project() -> None:
    graph = Graph(
        [
            a_task("LATE", position=5),
            a_task("URGENT", priority=0, position=9),
            a_task("X", project="b", position=1),
            a_task("X", project="a", position=1),
        ]
    )
    assert graph.levels() == [keys("URGENT", "a:X", "b:X", "LATE")]


def test_a_dependency_named_twice_counts_once() -> None:
    graph = Graph([a_task("A"), a_task("B", "A", "A")])
    assert graph.edges == [tuple(keys("A", "B"))]
    assert graph.levels() == [keys("A"), keys("B")]


def test_of_two_tasks_with_one_key_the_first_counts() -> None:
    graph = Graph([a_task("A"), a_task("B"), a_task("A", "B")])
    assert len(graph) == 2
    assert graph.levels() == [keys("A", "B")]


def test_a_cycle_is_named_by_its_path() -> None:
    graph = Graph([a_task("A"), a_task("D", "F"), a_task("E", "D"), a_task("F", "E", "A")])
    assert graph.cycles == [keys("D", "E", "F")]
    assert graph.fault(TaskKey("p:E")) == (
        "is part of a cycle: D → E → F → D; take one of these dependencies away"
    )
    assert graph.levels() == [keys("A")]


def test_a_task_that_waits_for_itself_is_a_cycle_of_one() -> None:
    graph = Graph([a_task("A", "A")])
    assert graph.cycles == [keys("A")]
    assert path_text(["A"]) == "A → A"


def test_every_knot_is_found_and_named_once() -> None:
    graph = Graph(
        [a_task("A", "B"), a_task("B", "A"), a_task("C", "B", "D"), a_task("D", "C"), a_task("E", "E")]
    )
    assert graph.cycles == [keys("A", "B"), keys("C", "D"), keys("E")]


def test_what_waits_behind_a_cycle_says_which() -> None:
    graph = Graph([a_task("D", "E"), a_task("E", "D"), a_task("F", "D"), a_task("G", "F")])
    assert graph.fault(TaskKey("p:G")) == "waits for D, which is part of a cycle: D → E → D"


def test_a_task_tangled_up_beside_the_shortest_path_still_gets_a_true_sentence() -> None:
    # A → B → A is the shortest cycle; C hangs on it in a longer one.
    graph = Graph([a_task("A", "B", "C"), a_task("B", "A"), a_task("C", "B")])
    assert graph.cycles == [keys("A", "B")]
    assert graph.fault(TaskKey("p:C")) == "waits for A, which is part of a cycle: A → B → A"


def test_an_unknown_dependency_is_named_and_so_is_what_it_holds_up() -> None:
    graph = Graph([a_task("A", "other:X"), a_task("B", "A"), a_task("C")])
    assert graph.unknown == [(TaskKey("p:A"), TaskKey("other:X"))]
    assert graph.fault(TaskKey("p:A")) == (
        "depends on other:X, which no queue has; add that task or correct depends_on"
    )
    assert graph.fault(TaskKey("p:B")) == "waits for A, which depends on other:X, which no queue has"
    assert graph.fault(TaskKey("p:C")) is None
    assert graph.levels() == [keys("C")]


def test_a_dependency_on_another_project_is_known_once_that_project_is_there() -> None:
    alone = [a_task("B", "api:A", project="web")]
    assert Graph(alone).levels() == []
    assert Graph([*alone, a_task("A", project="api")]).levels() == [keys("api:A"), keys("web:B")]


def test_a_long_cycle_is_cut_in_the_middle_when_it_is_printed() -> None:
    count = 1_000
    graph = Graph(a_task(f"T{i}", f"T{(i - 1) % count}") for i in range(count))
    assert len(graph.cycles[0]) == count
    fault = graph.fault(TaskKey("p:T7"))
    assert fault is not None
    assert "T0 → T1" in fault
    assert "… 988 more …" in fault
    assert len(fault) < 200


def test_a_chain_of_many_thousands_does_not_recurse() -> None:
    count = 20_000
    open_chain = Graph(a_task(f"T{i}", *([f"T{i - 1}"] if i else [])) for i in range(count))
    assert len(open_chain.levels()) == count
    assert len(open_chain.ancestors(TaskKey(f"p:T{count - 1}"))) == count - 1
    ring = Graph(a_task(f"T{i}", f"T{(i - 1) % count}") for i in range(count))
    assert ring.levels() == []
    assert len(ring.cycles[0]) == count


def test_neighbours_and_everything_beyond_them_can_be_asked_for() -> None:
    graph = Graph([a_task("A"), a_task("B", "A"), a_task("C", "B"), a_task("D", "A")])
    assert graph.dependencies(TaskKey("p:C")) == keys("B")
    assert graph.dependents(TaskKey("p:A")) == keys("B", "D")
    assert graph.ancestors(TaskKey("p:C")) == set(keys("A", "B"))
    assert graph.descendants(TaskKey("p:A")) == set(keys("B", "C", "D"))


def test_the_critical_path_is_the_chain_that_takes_longest() -> None:
    graph = Graph(
        [a_task("A"), a_task("B", "A"), a_task("C", "B"), a_task("SLOW", "A"), a_task("END", "C", "SLOW")]
    )
    assert graph.critical_path() == keys("A", "B", "C", "END")
    assert graph.critical_path(lambda key: 60.0 if key == "p:SLOW" else 1.0) == keys("A", "SLOW", "END")


def test_asking_about_a_task_that_no_queue_has_says_so() -> None:
    with pytest.raises(UnknownTaskError, match="no queue has the task p:NOPE"):
        Graph([]).dependents(TaskKey("p:NOPE"))


@given(st.lists(st.lists(st.integers(0, 11), max_size=3), max_size=10))
def test_any_graph_agrees_with_the_standard_library(wanted: list[list[int]]) -> None:
    graph = Graph(a_task(f"T{i}", *(f"T{dep}" for dep in deps)) for i, deps in enumerate(wanted))
    known = {f"p:T{i}": {f"p:T{dep}" for dep in deps if dep < len(wanted)} for i, deps in enumerate(wanted)}
    try:
        sorter = graphlib.TopologicalSorter(known)
        sorter.prepare()
    except graphlib.CycleError:
        assert graph.cycles
    else:
        assert not graph.cycles
    edges = set(graph.edges)
    for cycle in graph.cycles:
        assert all(pair in edges for pair in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    seen: set[TaskKey] = set()
    for level in graph.levels():
        assert all(set(graph.dependencies(key)) <= seen for key in level)
        seen.update(level)
    # Exactly what has no fault is in the order, and exactly the cycles and unknown ids are faults.
    roots = {key for cycle in graph.cycles for key in cycle} | {key for key, _ in graph.unknown}
    for i in range(len(wanted)):
        key = TaskKey(f"p:T{i}")
        faulty = bool(({key} | graph.ancestors(key)) & roots)
        assert (graph.fault(key) is not None) == faulty == (key not in seen)
