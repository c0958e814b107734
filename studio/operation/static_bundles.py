"""Files that pages load together, served as one: a first visit makes fewer requests before anything is drawn.

The parts stay apart in `static/`, cut by noun; a bundle is written to the state folder when it is looked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

BUNDLES = {
    "studio/studio.css": [
        "studio/tokens.css",
        "studio/theme.css",
        "studio/layout.css",
        "studio/components.css",
        "studio/screens.css",
        "studio/narrow.css",
    ],
    "metrics/board.js": ["studio/plot.js", "metrics/charts/line_charts.js", "metrics/charts/refresh.js"],
    "metrics/compared.js": [
        "metrics/charts/smoothing.js",
        "metrics/compare/value_reader.js",
        "metrics/compare/compare.js",
    ],
    "metrics/compared.css": ["metrics/monitor/monitor.css", "metrics/compare/compare.css"],
}


class BundleFinder(BaseFinder):
    """Finds BUNDLES by their names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=settings.STATE_DIR / "bundles")

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path not in BUNDLES:
            return []
        found = str(write_bundle(path, Path(self.storage.path(path))))
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        for path in BUNDLES:
            write_bundle(path, Path(self.storage.path(path)))
            yield path, self.storage


def write_bundle(path: str, file: Path) -> Path:
    """The bundle's file, made anew; whole at every moment, since others may read it."""
    parts = [(settings.BASE_DIR / "static" / part).read_text() for part in BUNDLES[path]]
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text("\n".join(parts))
    draft.replace(file)
    return file
