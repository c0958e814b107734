"""`make vendor`: download the third-party files that static/vendor/vendored.json names from npm."""

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

VENDOR: Path = settings.BASE_DIR / "static" / "vendor"
HEAD = """# Vendored files
Third-party files that the pages load, unchanged except for source-map comments (the maps are not included).
`make vendor` downloads them from npm and writes this table; a test compares table and files.

| file | package | version | licence | sha256 |
| --- | --- | --- | --- | --- |
"""


class Command(BaseCommand):
    help = "Downloads the vendored front-end files again and writes VENDORED.md."

    def handle(self, *args: Any, **options: Any) -> None:
        if not shutil.which("npm"):
            raise CommandError("npm is not installed: install Node.js, then run this again.")
        rows: list[str] = []
        for package in json.loads((VENDOR / "vendored.json").read_text()):
            with tempfile.TemporaryDirectory() as folder:
                rows += fetch_package(package, Path(folder))
        (VENDOR / "VENDORED.md").write_text(HEAD + "".join(sorted(rows)))
        self.stdout.write(f"{len(rows)} files under {VENDOR}")


def fetch_package(package: dict[str, Any], folder: Path) -> list[str]:
    """Unpack one npm package, copy the files that are named, and return their rows of the table."""
    named = f"{package['name']}@{package['version']}"
    packed = subprocess.run(
        ["npm", "pack", "--silent", named], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return [
        copy_asset(package, folder / "package" / source, VENDOR / target)
        for source, target in package["files"].items()
    ]


def copy_asset(package: dict[str, Any], source: Path, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(re.sub(rb"\n?/[/*]# sourceMappingURL=.*", b"", source.read_bytes()))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    cells = [str(target.relative_to(VENDOR)), package["name"], package["version"], package["licence"], digest]
    return f"| {' | '.join(cells)} |\n"
