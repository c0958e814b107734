"""Who may import whom (CONTRIBUTING.md): metrics -> jobs -> studio; studio.vertex and engine stand alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

ALLOWED = {
    "metrics": {"metrics", "jobs", "studio"},
    "jobs": {"jobs", "studio"},
    "studio": {"studio"},
    "studio.vertex": {"studio.vertex"},
    "engine": {"engine"},
}
ROOMS = {"metrics", "jobs", "studio", "engine", "tests"}


def iter_imports(file: Path) -> Iterator[str]:
    """Absolute names of all that a file imports; relative imports are not used here and fail."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room_of(file: Path) -> str:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return "studio.vertex" if module.startswith("studio.vertex.") else module.split(".")[0]


FILES = [file for room in ("studio", "jobs", "metrics", "engine") for file in (ROOT / room).rglob("*.py")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_follow_the_allowed_directions(file: Path) -> None:
    allowed = ALLOWED[room_of(file)]
    ours = [name for name in iter_imports(file) if name.split(".")[0] in ROOMS]
    wrong = [name for name in ours if not any(f"{name}.".startswith(f"{room}.") for room in allowed)]
    assert not wrong, f"{file.relative_to(ROOT)} may import from {sorted(allowed)} only"
