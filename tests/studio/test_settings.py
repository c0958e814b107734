"""Each setting has a row in docs/settings.md and a line in .env.example, and security settings are strict."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
DOCUMENT = (ROOT / "docs" / "settings.md").read_text()
INTERNAL = {"ENGINE_ROOT", "ENGINE_PID", "ENGINE_TOKEN_FILE"}
"""Set by the engine for its own processes; the last one comes from its command line."""


def read_table(after: str) -> dict[str, str]:
    """Return {variable: default} of the first table after a line of the document."""
    part = DOCUMENT.split(after, 1)[1].split("\n\n", 2)[1]
    rows = re.findall(r"^\| `([A-Z_]+)` \|([^|]*)\|", part, re.MULTILINE)
    return {name: default.strip() for name, default in rows}


STUDIO = read_table("[.env.example](../.env.example) lists them all.")
ENGINE = read_table("## Settings that the engine reads")
GOOGLE = read_table("## Settings that Google's library reads")
CONTAINERS = read_table("## Settings of containers")


def find_variables(files: list[Path], pattern: str) -> set[str]:
    return {name for file in files for name in re.findall(pattern, file.read_text())}


def test_the_table_lists_every_setting() -> None:
    """A setting that the engine also reads is only in the engine's table."""
    source = [ROOT / "studio" / "settings.py"]
    read = find_variables(source, r'env(?:_flag|_secret)?\(\s*"([A-Z_]+)"')
    files = {f"{name}_FILE" for name in find_variables(source, r'env_secret\(\s*"([A-Z_]+)"')}
    assert set(STUDIO) == (read | files) - set(ENGINE)


def test_the_engine_table_lists_every_engine_setting() -> None:
    read = find_variables(
        list((ROOT / "engine").rglob("*.py")), r'environ(?:\.get\(|\[)\s*"(ENGINE_[A-Z_]+)"'
    )
    assert set(ENGINE) == read - INTERNAL


def test_env_example_lists_every_setting() -> None:
    named = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(named) == sorted([*STUDIO, *ENGINE, *GOOGLE, *CONTAINERS])


@pytest.mark.parametrize("name", ["PORT", "POLL_SECONDS", "LOG_LEVEL", "TIME_ZONE", "BIND", "REDIS_PREFIX"])
def test_documented_defaults_match_the_code(name: str) -> None:
    source = (ROOT / "studio" / "settings.py").read_text()
    assert f'env("{name}", "{STUDIO[name].strip("`")}")' in source


# ---- what the settings promise ----


def test_content_security_policy_forbids_inline_code() -> None:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]


def test_templates_use_no_safe_filter_or_inline_style() -> None:
    for file in (ROOT / "templates").rglob("*.html"):
        text = file.read_text()
        assert "|safe" not in text and "mark_safe" not in text, file
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)(?![^>]*json)", text), file
