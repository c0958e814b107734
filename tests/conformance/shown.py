"""The studio's own Python for a request: the scripts of Google's libraries run it as it is shown.

The scripts live in environments without Django, so the texts are made here and travel as JSON.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from jobs.request import snippets
from jobs.request.body import SUBMISSION_LABEL
from jobs.request.target import Body, RequestTarget
from tests.conformance.calls import LOCATION, PROJECT, SHOWN, TRAINING, TUNED_BEFORE, VALIDATION

FILES = {"trainingDatasetUri": TRAINING, "validationDatasetUri": VALIDATION, "exportLastCheckpointOnly": True}
SETTINGS = {"epochCount": "3", "learningRateMultiplier": 0.5}
COMMON: Body = {
    "tunedModelDisplayName": 'it\'s "shown" 👩‍🔬 名前',
    "description": "first line\nsecond: $HOME `id` \\ '''\"\"\"",
    "labels": {"team": "red"},
    "serviceAccount": "tuner@myproject.iam.gserviceaccount.com",
}
REQUEST: Body = COMMON | {
    "baseModel": "gemini-1.5-flash-002",
    "supervisedTuningSpec": {**FILES, "hyperParameters": {**SETTINGS, "adapterSize": "ADAPTER_SIZE_EIGHT"}},
}
ONWARD: Body = COMMON | {
    "preTunedModel": {"tunedModelName": TUNED_BEFORE, "checkpointId": "1"},
    "supervisedTuningSpec": {**FILES, "hyperParameters": SETTINGS},  # the adapter is the parent's
}
ASKED = {
    "genai": (snippets.python_genai, REQUEST),
    "genai onward": (snippets.python_genai, ONWARD),
    "vertexai": (snippets.python_vertexai, REQUEST),
}


def build_environment(url: str) -> dict[str, str]:
    """For the scripts: by name, the text, and what of the request the job has to have."""
    address = RequestTarget(url, PROJECT, LOCATION, on_engine=True)
    shown: dict[str, Any] = {}
    for name, (way, asked) in ASKED.items():
        # The engine takes the studio's own label once.
        body = asked | {"labels": {**asked["labels"], SUBMISSION_LABEL: uuid4().hex}}
        snippet = way(body, address)
        shown[name] = {"text": snippet.text, "expected": omit_fields(body, snippet.left_out)}
    return {SHOWN: json.dumps(shown)}


def omit_fields(body: Body, left_out: tuple[str, ...], above: str = "") -> Body:
    return {
        key: omit_fields(value, left_out, f"{above}{key}.") if isinstance(value, dict) else value
        for key, value in body.items()
        if f"{above}{key}" not in left_out
    }
