"""An environment for each group of clients that can live together, made once under .venv-conformance/.

google-cloud-aiplatform 1.95.1 holds google-genai below 2 and google-cloud-storage below 3, and 2.7.0 holds
google-genai below 3: three environments are the fewest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.paths import ROOT

FOLDER = ROOT / ".venv-conformance"
REQUIREMENTS = Path(__file__).parent / "requirements"


def prepare_interpreter(name: str) -> Path:
    """The interpreter of an environment, which is made when it is missing or its requirements changed."""
    folder, wanted = FOLDER / name, (REQUIREMENTS / f"{name}.txt").read_text()
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        create_environment(folder, REQUIREMENTS / f"{name}.txt")
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def create_environment(folder: Path, requirements: Path) -> None:
    started = time.monotonic()
    print(f"Installing {folder.name} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    # Most of these packages' modules are never imported: compiling them all takes longer than the rest.
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", str(requirements)]
    target = ["--python", str(folder / "bin" / "python")]
    subprocess.run([sys.executable, "-m", "pip", *target, *install], check=True)
    print(
        f"Installed {folder.name}: {measure_megabytes(folder)} MB in {time.monotonic() - started:.0f} s.",
        flush=True,
    )


def measure_megabytes(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) // 2**20


def discovery_documents() -> Path:
    """Where google-api-python-client keeps its documents."""
    [found] = FOLDER.glob("aiplatform-2/lib/python3*/site-packages/googleapiclient/discovery_cache/documents")
    return found
