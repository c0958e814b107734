"""Bundles hold their parts, whole and in order, for whoever looks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command

from studio.operation.static_bundles import BUNDLES


@pytest.mark.parametrize("name", [*BUNDLES])
def test_bundle_concatenates_its_parts(name: str) -> None:
    found = finders.find(name)
    assert found
    parts = [(settings.BASE_DIR / "static" / part).read_text() for part in BUNDLES[name]]
    assert Path(found).read_text() == "\n".join(parts)


def test_bundle_names_differ_from_static_files() -> None:
    assert not [name for name in BUNDLES if (settings.BASE_DIR / "static" / name).exists()]


def test_collectstatic_writes_bundles(
    settings: object, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.STATIC_ROOT = tmp_path  # type: ignore[attr-defined]
    call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / "studio" / "studio.css").exists()  # type: ignore[operator]
