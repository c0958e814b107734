"""The client with the real engine: a job from its dataset to its answers over HTTP."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from studio.vertex import job_states
from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from studio.vertex.errors import BadRequest, Conflict, NotFound
from studio.vertex.storage import Storage
from tests.engine.running_engine import run_engine
from tests.engine.tiny_base import example, write_base

pytestmark = pytest.mark.engine

LOCATION = "us-central1"
QUESTION = {
    "contents": [{"role": "user", "parts": [{"text": "word 1"}]}],
    "generationConfig": {"temperature": 0},
}
METRICS = ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("engine")
    base = write_base(folder / "studio-tiny")
    with run_engine(folder / "root", ENGINE_BASES=str(base), ENGINE_THREADS="1") as engine:
        yield Place(backend="engine", project_id="local", engine_url=engine.url)


@pytest.fixture(scope="module")
def storage(place: Place) -> Storage:
    return Storage(place)


@pytest.fixture(scope="module")
def vertex(place: Place) -> Vertex:
    return Vertex(place)


@pytest.fixture(scope="module")
def spec(storage: Storage) -> dict[str, Any]:
    for name, count in (("train", 16), ("validation", 4)):
        lines = "\n".join(json.dumps(example(f"word {n}", "red" if n % 2 else "green")) for n in range(count))
        storage.upload(io.BytesIO(lines.encode()), f"gs://demo/{name}.jsonl", "application/jsonl")
    return {
        "trainingDatasetUri": "gs://demo/train.jsonl",
        "validationDatasetUri": "gs://demo/validation.jsonl",
        "hyperParameters": {"epochCount": "1", "adapterSize": "ADAPTER_SIZE_FOUR"},
    }


def make_job_body(spec: dict[str, Any], submission: str) -> dict[str, Any]:
    return {
        "baseModel": "studio-tiny",
        "supervisedTuningSpec": spec,
        "labels": {"studio-submission": submission},
    }


def wait_for_end(vertex: Vertex, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        job = vertex.get_tuning_job(name)
        if job_states.is_terminal(job["state"]):
            return job
        time.sleep(0.2)
    raise AssertionError(f"{name} goes on and on")


@pytest.fixture(scope="module")
def tuned(vertex: Vertex, spec: dict[str, Any]) -> dict[str, Any]:
    return wait_for_end(vertex, vertex.create_tuning_job(LOCATION, make_job_body(spec, "first"))["name"])


def test_large_object_with_an_odd_name_round_trips(storage: Storage, tmp_path: Path) -> None:
    path, uri = tmp_path / "large", "gs://demo/a b/ü 日 100%?#.jsonl"
    path.write_bytes(os.urandom(17 * 1024 * 1024 + 5))
    with path.open("rb") as file:
        stored = storage.upload(file, uri, "application/jsonl")
    assert stored == storage.stat(uri) == storage.stat(uri, stored.generation)
    with storage.open(uri, stored.generation) as file:
        assert file.read() == path.read_bytes()
    assert [found.uri for found in storage.list("demo", "a b/").objects] == [uri]
    with pytest.raises(NotFound):
        storage.stat(uri, stored.generation - 1)
    storage.delete(uri)
    storage.delete(uri)
    with pytest.raises(NotFound):
        storage.open(uri)


def test_an_object_is_not_overwritten_by_accident(storage: Storage) -> None:
    first = storage.upload(io.BytesIO(b"1"), "gs://demo/once", "text/plain")
    with pytest.raises(Conflict):
        storage.upload(io.BytesIO(b"2"), "gs://demo/once", "text/plain")
    second = storage.upload(io.BytesIO(b""), "gs://demo/once", "text/plain", overwrite=True)
    assert second.generation > first.generation
    assert storage.open("gs://demo/once").read() == b""
    assert "demo" in storage.buckets()


def test_job_succeeds_and_its_metrics_are_read(vertex: Vertex, tuned: dict[str, Any]) -> None:
    assert tuned["state"] == job_states.SUCCEEDED
    run = vertex.tensorboard_run(tuned["experiment"])
    assert run
    series = vertex.list_time_series(tuned["experiment"])
    assert series == vertex.list_time_series(run)
    curves = vertex.read_time_series(series)
    assert set(curves) == {f"/{split}_{metric}" for split in ("train", "eval") for metric in METRICS}
    steps = int(tuned["tuningDataStats"]["supervisedTuningDataStats"]["tuningStepCount"])
    assert [step for step, _, _ in curves["/train_total_loss"]] == list(range(1, steps + 1))
    assert curves["/eval_total_loss"][-1][0] == steps
    # Long series are read in another way, with the same result.
    for one in series:
        one["maxStep"] = 1000
    assert vertex.read_time_series(series) == curves


def test_a_job_is_found_by_its_label_in_its_location(vertex: Vertex, tuned: dict[str, Any]) -> None:
    found = vertex.list_tuning_jobs(LOCATION, filter='labels.studio-submission="first"')
    assert [job["name"] for job in found] == [tuned["name"]]
    assert list(vertex.list_tuning_jobs("europe-west4")) == []


def test_a_wrong_request_names_its_fields(vertex: Vertex, spec: dict[str, Any]) -> None:
    wrong = make_job_body(spec | {"trainingDatasetUri": "gs://demo/none.jsonl"}, "wrong")
    with pytest.raises(BadRequest) as caught:
        vertex.create_tuning_job(LOCATION, wrong)
    assert [violation.field for violation in caught.value.violations] == [
        "tuning_job.supervised_tuning_spec.training_dataset_uri"
    ]


def test_tuned_model_answers_unary_and_streaming(vertex: Vertex, tuned: dict[str, Any]) -> None:
    endpoint = tuned["tunedModel"]["endpoint"]
    whole = vertex.generate_content(endpoint, QUESTION)
    with closing(vertex.stream_generate_content(endpoint, QUESTION)) as stream:
        pieces = list(stream)
    assert text_of(*pieces) == text_of(whole)
    assert pieces[-1]["usageMetadata"]["totalTokenCount"] == whole["usageMetadata"]["totalTokenCount"]
    assert (
        vertex.count_tokens(endpoint, QUESTION)["totalTokens"] == whole["usageMetadata"]["promptTokenCount"]
    )
    base = vertex.generate_content(vertex.publisher_model(LOCATION, "studio-tiny"), QUESTION)
    assert base["candidates"][0]["finishReason"]
    with pytest.raises(NotFound):
        next(vertex.stream_generate_content(endpoint + "0", QUESTION))


def text_of(*answers: dict[str, Any]) -> str:
    return "".join(
        part.get("text", "")
        for answer in answers
        for candidate in answer["candidates"]
        for part in candidate["content"].get("parts", [])
    )


def test_a_job_is_cancelled(vertex: Vertex, spec: dict[str, Any]) -> None:
    long = spec | {"hyperParameters": {"epochCount": "100"}}
    job = vertex.create_tuning_job(LOCATION, make_job_body(long, "cancelled"))
    assert vertex.cancel_tuning_job(job["name"]) == {}
    job = wait_for_end(vertex, job["name"])
    assert (job["state"], job["error"]["code"]) == (job_states.CANCELLED, 1)
    with pytest.raises(BadRequest):
        vertex.cancel_tuning_job(job["name"])
