"""Who may import whom: ALLOWED is the whole rule, and CONTRIBUTING.md its summary.

A room is a folder of modules. `jobs.wizard` stands for the modules of that folder, `jobs.wizard.**` for those
of its sub-rooms, too. Each room may import its own modules and what its entry names; all else is forbidden.
An entry of a single module adds to its room's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.paths import ROOT

ALLOWED = {
    # The one door to Google: could be published alone.
    "studio.vertex": "",
    # The frame of the site. It knows the other apps by name only (settings, urls): they stand on it.
    "studio": "studio.**",
    "studio.pages": "studio studio.vertex",
    "studio.people": "studio studio.pages",
    "studio.projects": "studio studio.vertex studio.pages studio.people",
    "studio.operation": "studio",
    "studio.run": "studio studio.people studio.operation",
    "studio.templatetags": "studio studio.pages studio.operation",
    "studio.management.commands": "studio.**",
    # A job: urls -> request_import -> wizard -> {job_list, estimates, troubleshooting, request, datasets}
    "jobs": "studio.**",
    "jobs.urls": "jobs.**",
    "jobs.tasks": "jobs.lifecycle jobs.datasets jobs.datasets.uploads",
    "jobs.models": "jobs.datasets.models jobs.chat.models jobs.request.body",
    "jobs.preflight": "jobs.datasets jobs.datasets.check",
    "jobs.templatetags": "studio.** jobs.**",
    "jobs.management.commands": "studio.** jobs.**",
    "jobs.request_import": "studio.** jobs jobs.datasets.** jobs.request jobs.wizard.**",
    "jobs.wizard": "studio.** jobs jobs.datasets.** jobs.request jobs.estimates jobs.job_list",
    "jobs.wizard.views": "jobs.wizard.**",
    "jobs.wizard.review_step": "jobs.wizard.dataset_step",
    "jobs.wizard.draft_summary": "jobs.wizard.model_step.pre_tuned_models",
    "jobs.wizard.model_step": "studio.** jobs jobs.wizard jobs.request jobs.troubleshooting",
    "jobs.wizard.dataset_step": "studio.** jobs jobs.wizard jobs.datasets.** jobs.troubleshooting",
    "jobs.job_page": (
        "studio.** jobs jobs.datasets.** jobs.request jobs.lifecycle jobs.estimates jobs.troubleshooting"
    ),
    "jobs.job_list": "studio.** jobs jobs.datasets jobs.lifecycle",
    "jobs.estimates": "studio.** jobs jobs.datasets jobs.datasets.check",
    "jobs.troubleshooting": "studio.** jobs jobs.datasets jobs.datasets.check jobs.request jobs.lifecycle",
    "jobs.lifecycle": "studio.** jobs jobs.request",
    "jobs.request": "studio.** jobs",
    "jobs.chat": "studio.** jobs jobs.datasets jobs.datasets.check",
    # Datasets: {diff, report_page, leakage, transform} -> datasets -> check -> fast_path
    "jobs.datasets": "studio.** jobs.models jobs.querysets jobs.datasets.check jobs.datasets.uploads",
    "jobs.datasets.urls": "jobs.datasets.** jobs.wizard",
    "jobs.datasets.diff": "studio.** jobs.datasets jobs.datasets.check.**",
    "jobs.datasets.report_page": "studio.** jobs.datasets jobs.datasets.check",
    "jobs.datasets.leakage": "studio.** jobs.datasets jobs.datasets.check",
    "jobs.datasets.transform": "studio.** jobs.datasets jobs.datasets.check.**",
    "jobs.datasets.uploads": "studio.**",
    "jobs.datasets.check": "studio.** jobs.datasets.check.fast_path",
    # The fast path fills the same tallies as the checker and reads the same blocks of lines.
    "jobs.datasets.check.fast_path": (
        "jobs.datasets.check.lines jobs.datasets.check.distributions jobs.datasets.check.duplicates"
    ),
    # Numbers over steps: metrics -> jobs -> studio; {monitor, compare} -> charts, diagnosis -> point_store
    "metrics": "studio.** jobs jobs.lifecycle",
    "metrics.urls": "metrics.**",
    "metrics.collect": "metrics.diagnosis",
    "metrics.summary": "metrics.charts.downsample",
    "metrics.templatetags": "studio.** jobs.** metrics.**",
    "metrics.monitor": "studio.** jobs jobs.job_page jobs.lifecycle metrics metrics.charts metrics.diagnosis",
    "metrics.compare": "studio.** jobs jobs.datasets jobs.job_list metrics metrics.charts",
    "metrics.compare.page": "metrics.compare.charts",
    "metrics.compare.runs": "metrics.compare.charts.run_style",
    "metrics.compare.charts": "metrics metrics.charts metrics.compare studio.plotly_figures",
    "metrics.charts": "metrics studio.plotly_figures",
    "metrics.diagnosis": "metrics jobs studio.formats",
    # Reached over HTTP only.
    "engine": "engine.**",
}
APPS = ("studio", "jobs", "metrics", "engine")


@cache
def list_modules() -> dict[str, Path]:
    """{dotted name: file} of all modules but migrations; a package goes by its own name."""
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for app in APPS
        for file in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in file.parts
    }


def iter_imports(file: Path) -> Iterator[str]:
    """Absolute names of all that a file imports; relative imports are not used here and fail."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def find_module(name: str) -> str:
    """The module that an imported name is, or is defined in."""
    while name not in list_modules() and "." in name:
        name = name.rpartition(".")[0]
    return name


def find_room(module: str) -> str:
    """The folder that holds a module; a package is a module of its own room."""
    return module if list_modules()[module].name == "__init__.py" else module.rpartition(".")[0]


def list_allowed(module: str) -> list[str]:
    """The entries of the module and of the nearest room that has one."""
    room = find_room(module)
    while room not in ALLOWED:
        room = room.rpartition(".")[0]
    return [*ALLOWED[room].split(), *(ALLOWED.get(module, "").split() if module != room else [])]


def is_allowed(module: str, imported: str) -> bool:
    if find_room(module) == find_room(imported):
        return True
    return any(
        f"{imported}.".startswith(entry.removesuffix("**"))
        if entry.endswith(".**")
        else entry in (imported, find_room(imported))
        for entry in list_allowed(module)
    )


def test_imports_follow_the_allowed_directions() -> None:
    violations = [
        f"{module} imports {name}"
        for module, file in list_modules().items()
        for name in iter_imports(file)
        if name.split(".")[0] in (*APPS, "tests") and not is_allowed(module, find_module(name))
    ]
    assert not violations, "\n".join(violations)


def test_every_entry_of_the_map_is_used() -> None:
    """An arrow that nothing needs any more is taken out of the map, and a misspelt one is found."""
    used = {
        (module, find_module(name))
        for module, file in list_modules().items()
        for name in iter_imports(file)
        if name.split(".")[0] in APPS
    }
    unknown = [
        f"{room} -> {entry}"
        for room, entries in ALLOWED.items()
        for entry in [room, *entries.split()]
        if entry.removesuffix(".**") not in list_modules()
    ]
    assert not unknown, "\n".join(unknown)
    unused = [
        f"{room} -> {entry}"
        for room, entries in ALLOWED.items()
        for entry in entries.split()
        if not entry.endswith(".**")
        and not any(
            f"{module}.".startswith(f"{room}.") and entry in (imported, find_room(imported))
            for module, imported in used
        )
    ]
    assert not unused, "\n".join(unused)
