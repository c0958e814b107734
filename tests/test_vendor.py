"""static/vendor contains exactly the files that VENDORED.md lists."""

from __future__ import annotations

import hashlib
import json
import re

from tests.paths import ROOT

VENDOR = ROOT / "static" / "vendor"
ROW = re.compile(r"^\| (\S+) \| (\S+) \| (\S+) \| (\S+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)
LISTED = {row[0]: row for row in ROW.findall((VENDOR / "VENDORED.md").read_text())}


def test_vendored_files_have_the_listed_hash() -> None:
    found = {
        str(file.relative_to(VENDOR)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file.name not in {"VENDORED.md", "vendored.json"}
    }
    assert found == {name: row[4] for name, row in LISTED.items()}


def test_vendored_table_matches_vendored_json() -> None:
    wanted = {
        target: (package["name"], package["version"], package["licence"])
        for package in json.loads((VENDOR / "vendored.json").read_text())
        for target in package["files"].values()
    }
    assert wanted == {name: row[1:4] for name, row in LISTED.items()}


def test_every_vendored_package_includes_its_licence() -> None:
    for package in json.loads((VENDOR / "vendored.json").read_text()):
        assert any(target.endswith("LICENSE") for target in package["files"].values()), package["name"]
