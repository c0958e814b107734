"""Bundles of style sheets and scripts that pages load together: fewer requests before the first paint.

The parts stay separate in `static/`. `collectstatic` joins them, so every page of a deployment loads bundles;
where nothing is collected (DEBUG and the tests), `{% bundle %}` links the parts instead, in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

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


class BundlingStorage(CompressedManifestStaticFilesStorage):
    """Adds the bundles to the collected files, to be hashed and compressed like all others."""

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        if not dry_run:
            paths |= {name: (self, str(write_bundle(Path(self.location), name))) for name in BUNDLES}
        yield from super().post_process(paths, dry_run=dry_run, **options)


def write_bundle(root: Path, name: str) -> str:
    """Join the collected parts under `root` into the bundle `name`, and return that name.

    The file is replaced in one step, since a running web process may be reading the old one.
    """
    parts = [(root / part).read_text(encoding="utf-8") for part in BUNDLES[name]]
    bundle = root / name
    draft = bundle.with_name(f"{bundle.name}.{os.getpid()}")
    draft.write_text("\n".join(parts), encoding="utf-8")
    draft.replace(bundle)
    return name


def list_bundle_urls(name: str) -> list[str]:
    """Return the bundle's address if static files are collected, otherwise those of its parts, in order."""
    collected = isinstance(staticfiles_storage, BundlingStorage)
    return [staticfiles_storage.url(file) for file in ([name] if collected else BUNDLES[name])]
