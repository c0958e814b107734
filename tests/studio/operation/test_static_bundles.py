"""Deployments load bundles that contain their parts in order; elsewhere pages load the parts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.template import Context, Template
from pytest_django import Settings

from studio.operation.static_bundles import BUNDLES
from tests.paths import ROOT

STATIC = ROOT / "static"


@pytest.fixture
def collected(settings: Settings, tmp_path: Path) -> Path:
    """The folder of a deployment's static files, just collected with the storage that deployments use."""
    from studio import settings as ours

    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": ours.STORAGES["staticfiles"]}
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def render_bundle(name: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', Template(f"{{% bundle '{name}' %}}").render(Context()))


def join_parts(name: str) -> str:
    return "\n".join((STATIC / part).read_text() for part in BUNDLES[name])


def test_collectstatic_joins_hashes_and_compresses_each_bundle(collected: Path) -> None:
    hashed = json.loads((collected / "staticfiles.json").read_text())["paths"]
    for name in BUNDLES:
        assert (collected / name).read_text() == join_parts(name)
        assert hashed[name] != name
        assert (collected / hashed[name]).exists() and (collected / f"{hashed[name]}.gz").exists()


def test_a_collected_page_loads_the_hashed_bundle(collected: Path) -> None:
    hashed = json.loads((collected / "staticfiles.json").read_text())["paths"]
    for name in BUNDLES:
        assert render_bundle(name) == [f"/static/{hashed[name]}"]


def test_a_second_collection_follows_a_changed_part(collected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle is built again although its file exists."""
    monkeypatch.setitem(BUNDLES, "metrics/compared.css", ["metrics/compare/compare.css"])
    call_command("collectstatic", interactive=False, verbosity=0)
    assert (collected / "metrics/compared.css").read_text() == join_parts("metrics/compared.css")


def test_a_dry_run_writes_nothing(settings: Settings, tmp_path: Path) -> None:
    from studio import settings as ours

    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": ours.STORAGES["staticfiles"]}
    call_command("collectstatic", interactive=False, dry_run=True, verbosity=0)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", [*BUNDLES])
def test_uncollected_pages_load_the_parts_in_order(name: str) -> None:
    assert render_bundle(name) == [f"/static/{part}" for part in BUNDLES[name]]
    assert all(finders.find(part) for part in BUNDLES[name])


def test_bundle_names_differ_from_static_files() -> None:
    assert not [name for name in BUNDLES if (STATIC / name).exists()]


def test_templates_name_bundles_that_exist() -> None:
    """No template links a bundle like a file in `static/`."""
    texts = [file.read_text() for file in (ROOT / "templates").rglob("*.html")]
    assert {name for text in texts for name in re.findall(r"{% bundle '([^']+)' %}", text)} == set(BUNDLES)
    assert not {name for text in texts for name in re.findall(r"{% static '([^']+)' %}", text)} & set(BUNDLES)
