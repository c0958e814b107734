"""Paths in the repository that tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "tests" / "captures"
BANKING77 = ROOT / "tests" / "data" / "banking77"
SAMPLES = ROOT / "jobs" / "datasets" / "samples"
STUDIO_TINY = ROOT / "engine" / "base" / "studio-tiny"
