"""The rules of CONTRIBUTING.md for the size of folders and files, and for names of functions."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache

from tests.paths import ROOT
from tests.test_arrows import find_room, list_modules

# As many as a person sees at a glance; a larger folder is split by noun.
MODULES_PER_ROOM = 16
# What fits on a screen. A longer function contains a second one.
LINES_PER_FUNCTION = 40
# Code bases that are read easily have 26 to 48 % of one-word names; far above, names say too little.
MOST_ONE_WORD_NAMES = 0.45
PARTICIPLES = set(
    """
    added answered applied asked begun brought built called carried checked chosen copied counted
    done drawn ended filled found given gone held joined judged kept known learned led left listed
    looked lost made marked measured mended moved named noted offered opened packed passed picked
    placed played reached refused removed revived said seen sent served shared shown sorted spoken
    started stopped stored taken thinned told translated tried turned understood used wanted written
    """.split()  # noqa: SIM905
)
# Django's and Celery's own names are chosen there; dunder methods by Python.
NOT_OURS = {"handle", "add_arguments", "save", "clean", "delete", "ready"}


@cache
def list_functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """(module, function) of all functions and methods that have a name of ours."""
    return [
        (module, node)
        for module, file in list_modules().items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def iter_words(name: str) -> Iterator[str]:
    yield from name.strip("_").split("_")


def is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A property names what something has or is, so that an adjective is right: `job.failed`."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_rooms_hold_few_modules() -> None:
    rooms = Counter(
        find_room(module) for module, file in list_modules().items() if file.name != "__init__.py"
    )
    large = {room: count for room, count in rooms.items() if count > MODULES_PER_ROOM}
    assert not large


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{module}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module, node in list_functions()
        if node.end_lineno and node.end_lineno - node.lineno >= LINES_PER_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_most_names_have_more_than_one_word() -> None:
    names = [
        node.name
        for _, node in list_functions()
        if not node.name.startswith("__") and node.name not in NOT_OURS
    ]
    one_word = [name for name in names if len([*iter_words(name)]) == 1]
    assert len(one_word) / len(names) <= MOST_ONE_WORD_NAMES, Counter(one_word).most_common(30)


def test_no_function_is_named_by_a_participle() -> None:
    """A name says what is done (find_job) or what it is (job), not that it was done (found)."""
    wrong = [
        f"{module}.{node.name}"
        for module, node in list_functions()
        if next(iter_words(node.name)) in PARTICIPLES and not is_property(node)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_test_folder_is_a_package() -> None:
    """Test modules of the same name in folders without __init__.py would hide each other."""
    folders = {file.parent for file in (ROOT / "tests").rglob("test_*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]
