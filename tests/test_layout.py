"""The layout of the code stays within its limits."""

from __future__ import annotations

from collections import Counter

from tests.source_tree import (
    ROOMS,
    files,
    foreign_private_names,
    functions,
    import_graph,
    modules,
    reachable,
)

MOST_FILES = 12
"""Python files in one folder."""
MOST_LINES = 40
"""Of a function, from `def` to its end."""
MOST_PRIVATE_NAMES = 5
"""Of other packages, all in `HOOKS`."""
HOOKS = "service.process."
UNNAMED = {"__init__", "__main__", "conftest"}


def test_a_folder_has_at_most_12_files() -> None:
    counts = Counter(str(file.parent) for file in files())
    assert not {folder: count for folder, count in counts.items() if count > MOST_FILES}


def test_no_two_files_have_the_same_name() -> None:
    counts = Counter(file.stem for file in files() if file.stem not in UNNAMED)
    assert not {name: count for name, count in counts.items() if count > 1}


def test_no_module_imports_itself_through_others_types_included() -> None:
    graph = import_graph()
    assert not {name for name in graph if name in reachable(graph, name)}


def test_a_function_has_at_most_40_lines() -> None:
    found = {
        f"{module}.{function}"
        for module, tree in modules().items()
        for function, lines in functions(tree)
        if lines > MOST_LINES
    }
    assert not found


def test_private_names_of_other_packages_are_few_and_in_the_folder_of_hooks() -> None:
    found = {f"{module}: {name}" for module, tree in modules().items() for name in foreign_private_names(tree)}
    hooks = {entry for entry in found if entry.startswith(HOOKS)}
    assert len(hooks) <= MOST_PRIVATE_NAMES
    assert found == hooks


def test_every_room_is_read() -> None:
    assert {name.split(".")[0] for name in modules()} == set(ROOMS)
