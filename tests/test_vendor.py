"""static/vendor: the files are the ones that VENDORED.md tells of, and none is there besides."""

from __future__ import annotations

import hashlib
import json
import re

from tests.paths import ROOT

VENDOR = ROOT / "static" / "vendor"
ROW = re.compile(r"^\| (\S+) \| (\S+) \| (\S+) \| (\S+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)
TOLD = {row[0]: row for row in ROW.findall((VENDOR / "VENDORED.md").read_text())}


def test_each_file_has_the_hash_that_is_told() -> None:
    found = {
        str(file.relative_to(VENDOR)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file.name not in {"VENDORED.md", "vendored.json"}
    }
    assert found == {name: row[4] for name, row in TOLD.items()}


def test_the_table_is_the_list_that_make_vendor_reads() -> None:
    wanted = {
        target: (package["name"], package["version"], package["licence"])
        for package in json.loads((VENDOR / "vendored.json").read_text())
        for target in package["files"].values()
    }
    assert wanted == {name: row[1:4] for name, row in TOLD.items()}


def test_every_package_brings_its_licence() -> None:
    for package in json.loads((VENDOR / "vendored.json").read_text()):
        assert any(target.endswith("LICENSE") for target in package["files"].values()), package["name"]
