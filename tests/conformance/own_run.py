"""A run of our own, read as the studio's pages read it, so that every field can be looked for in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import requests

from tests.conformance.calls import PARENT, TRAINING, VALIDATION

Json = dict[str, Any]
Resource = tuple[str, Json]
QUESTION = {"contents": [{"role": "user", "parts": [{"text": "Why is sky blue?"}]}]}
WITH_PROBABILITIES = {**QUESTION, "generationConfig": {"responseLogprobs": True, "logprobs": 2}}
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class Api:
    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method: str, path: str, **options: Any) -> Json:
        response = self.session.request(method, f"{self.url}/{path}", timeout=120, **options)
        response.raise_for_status()
        answer: Json = response.json()
        return answer

    def get(self, name: str, **params: Any) -> Json:
        return self("GET", f"v1/{name}", params=params)

    def post(self, path: str, body: Json) -> Json:
        return self("POST", f"v1/{path}", json=body)

    def wait_for_end(self, name: str) -> Json:
        while (job := self("GET", f"v1beta1/{name}"))["state"] not in ENDED:
            time.sleep(0.3)
        return job


def iter_resources(api: Api) -> Iterator[Resource]:
    """(kind in fields.py, resource) for everything that a run leaves."""
    yield "Object", upload_with_overlong_line(api)
    yield "Bucket", api("GET", "storage/v1/b/ours")
    job = create_tuned_job(api)
    yield "TuningJob", job
    yield "TuningJob that goes on", create_continued_job(api, job)
    yield "TuningJob that was cancelled", create_cancelled_job(api)
    yield from iter_metrics(api, job)
    yield from iter_registry(api, job)
    endpoint = job["tunedModel"]["endpoint"]
    yield "GenerateContentResponse", api.post(f"{endpoint}:generateContent", WITH_PROBABILITIES)
    yield "CountTokensResponse", api.post(f"{endpoint}:countTokens", QUESTION)


def upload_with_overlong_line(api: Api) -> Json:
    """The samples and one example that no model can read: the service drops it, and says why."""
    bucket, _, name = TRAINING.removeprefix("gs://").partition("/")
    path = f"{api.url}/download/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}?alt=media"
    samples = api.session.get(path, timeout=60).content
    turns = [
        {"role": "user", "parts": [{"text": "word " * 20_000}]},
        {"role": "model", "parts": [{"text": "a"}]},
    ]
    lines = samples + json.dumps({"contents": turns}).encode()
    return api("POST", "upload/storage/v1/b/ours/o?uploadType=media&name=train.jsonl", data=lines)


def create_tuned_job(api: Api) -> Json:
    body = {
        "baseModel": "studio-tiny",
        "supervisedTuningSpec": {
            "trainingDatasetUri": "gs://ours/train.jsonl",
            "validationDatasetUri": VALIDATION,
            "hyperParameters": {"epochCount": "2", "adapterSize": "ADAPTER_SIZE_FOUR"},
        },
        "tunedModelDisplayName": "ours",
        "description": "a test",
        "labels": {"team": "red"},
    }
    return api.wait_for_end(api.post(f"{PARENT}/tuningJobs", body)["name"])


def create_continued_job(api: Api, job: Json) -> Json:
    body = {
        "preTunedModel": {"tunedModelName": job["tunedModel"]["model"], "checkpointId": "1"},
        "supervisedTuningSpec": {"trainingDatasetUri": TRAINING, "hyperParameters": {"epochCount": "1"}},
    }
    return api.wait_for_end(api.post(f"{PARENT}/tuningJobs", body)["name"])


def create_cancelled_job(api: Api) -> Json:
    spec = {"trainingDatasetUri": TRAINING, "hyperParameters": {"epochCount": "10"}}
    job = api.post(f"{PARENT}/tuningJobs", {"baseModel": "studio-tiny", "supervisedTuningSpec": spec})
    api.post(f"{job['name']}:cancel", {})
    return api.wait_for_end(job["name"])


def iter_metrics(api: Api, job: Json) -> Iterator[Resource]:
    experiment = api.get(job["experiment"])
    yield "Context", experiment
    children = f'schema_title="system.ExperimentRun" AND parent_contexts:"{experiment["name"]}"'
    for child in api.get(experiment["name"].rpartition("/")[0], filter=children)["contexts"]:
        yield "Context of a run", child
    board = experiment["metadata"]["backing_tensorboard_resource"]
    name = f"{board}/experiments/{experiment['name'].rpartition('/')[2]}"
    yield "Tensorboard", api.get(board)
    yield "TensorboardExperiment", api.get(name)
    for run in api.get(f"{name}/runs")["tensorboardRuns"]:
        yield "TensorboardRun", run
        series = api.get(f"{run['name']}/timeSeries")["tensorboardTimeSeries"]
        yield from (("TensorboardTimeSeries", one) for one in series)
        read = api.get(f"{board}:batchRead", timeSeries=[one["name"] for one in series])["timeSeriesData"]
        # An evaluation before the first step has step 0, which proto3 leaves out.
        yield from (("TimeSeriesData", {**one, "values": one["values"][1:]}) for one in read)


def iter_registry(api: Api, job: Json) -> Iterator[Resource]:
    yield "Model", api.get(job["tunedModel"]["model"])
    for checkpoint in job["tunedModel"]["checkpoints"]:
        yield "Endpoint", api.get(checkpoint["endpoint"])
