"""What a client's script is made of: calls, made one after another, each told as one line of JSON.

Imported inside every client's own environment: nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

PROJECT, LOCATION = "myproject", "us-central1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
SAMPLES = "gs://cloud-samples-data/ai-platform/generative_ai/gemini-1_5/text"
TRAINING, VALIDATION = f"{SAMPLES}/sft_train_data.jsonl", f"{SAMPLES}/sft_validation_data.jsonl"
METRICS = {
    f"/{split}_{metric}"
    for split in ("train", "eval")
    for metric in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
}

SHOWN = "STUDIO_SHOWN"
"""The environment's variable with the studio's own texts (tests/conformance/shown.py)."""
TUNED_BEFORE = f"{PARENT}/models/TUNED@1"
"""Stands in such a text for a model that the script has tuned by then."""

Step = TypeVar("Step", bound=Callable[[Any], None])


def call(*names: str) -> Callable[[Step], Step]:
    """A step of a script, by the REST methods that it calls: `tuningJobs.list`, or
    `tuningJobs.list (filter)` where one method is called in more ways than one."""

    def mark_step(step: Step) -> Step:
        step.calls = names  # type: ignore[attr-defined]
        return step

    return mark_step


def run(script: Any, package: str) -> None:
    """Make the script's calls in the order in which they are written down."""
    client = f"{package} {version(package)}" if package != "curl" else package
    steps = [step for step in vars(type(script)).values() if hasattr(step, "calls")]
    failed = [step for step in steps if not report_step(client, step, script)]
    sys.exit(bool(failed))


def run_snippet(name: str, **replaced: str) -> tuple[Any, dict[str, Any]]:
    """Runs the studio's text as it stands: the job that it made, and what of the request that has to have."""
    shown = json.loads(os.environ[SHOWN])[name]
    names: dict[str, Any] = {}
    exec(fill_model_name(shown["text"], replaced), names)  # noqa: S102 - the text is what is tested
    return names["job"], json.loads(fill_model_name(json.dumps(shown["expected"]), replaced))


def fill_model_name(text: str, replaced: dict[str, str]) -> str:
    return text.replace(TUNED_BEFORE, replaced["model"]) if replaced else text


def find_differences(expected: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """What of `expected` the resource does not have, field by field."""
    found: dict[str, Any] = {}
    for key, value in expected.items():
        have = job.get(key)
        if isinstance(value, dict) and isinstance(have, dict):
            found |= {f"{key}.{name}": inner for name, inner in find_differences(value, have).items()}
        elif value != have:
            found[key] = (value, have)
    return found


def report_step(client: str, step: Any, script: Any) -> bool:
    detail = ""
    try:
        step(script)
    except Exception as error:
        detail = f"{type(error).__name__}: {error} ({locate_error(error)})"
    for name in step.calls:
        line = {"client": client, "call": name, "ok": not detail, "detail": detail}
        print(json.dumps(line), flush=True)
    return not detail


def locate_error(error: Exception) -> str:
    """The line of the script that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "clients" in frame.filename]
    return lines[-1] if lines else "?"
