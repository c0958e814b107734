"""Requests that the tests of this folder paste."""

from __future__ import annotations

URL = "https://europe-west4-aiplatform.googleapis.com/v1/projects/their-project/locations/europe-west4/tuningJobs"
BODY = {
    "baseModel": "gemini-2.5-flash",
    "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"},
    "tunedModelDisplayName": "it's “x”",
}
PLAIN = (
    '{"baseModel": "gemini-2.5-flash", "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"}}'
)
