"""What a server on Vertex AI's paths gets wrong first, as Google's own clients show it: a test for each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.engine.running_engine import PROJECT, Engine

QUESTION = {"contents": [{"role": "user", "parts": [{"text": "word 1"}]}]}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def spec(engine: Engine) -> dict[str, Any]:
    """Enough epochs that a job is still running when it is cancelled."""
    uri = engine.upload_examples("pitfalls.jsonl", 8)
    return {"trainingDatasetUri": uri, "hyperParameters": {"epochCount": 500}}


def post_text(engine: Engine, path: str, text: str, **options: Any) -> requests.Response:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return engine.call("POST", path, data=text.encode(), headers=headers, **options)


def cancel_and_wait(engine: Engine, job: dict[str, Any]) -> dict[str, Any]:
    assert "name" in job, job
    engine.post(f"v1/{job['name']}:cancel")
    return job


def test_v1_and_v1beta1_behave_the_same(engine: Engine, tuned: dict[str, Any]) -> None:
    only_v1beta1 = {"tuningJobState", "tuningJobMetadata"}
    names = [
        tuned["name"],
        tuned["experiment"],
        tuned["tunedModel"]["model"],
        tuned["tunedModel"]["endpoint"],
    ]
    for name in names:
        stable, beta = (engine.get(f"{version}/{name}").json() for version in ("v1", "v1beta1"))
        assert {key: value for key, value in beta.items() if key not in only_v1beta1} == stable
    counts = [
        engine.post(f"{version}/{tuned['tunedModel']['endpoint']}:countTokens", QUESTION).json()
        for version in ("v1", "v1beta1")
    ]
    assert counts[0] == counts[1] and counts[0]["totalTokens"]


@pytest.mark.parametrize("size", ["ADAPTER_SIZE_FOUR", 2, "2"])
def test_enums_are_read_as_names_or_numbers_and_written_as_names(
    engine: Engine, spec: dict[str, Any], size: Any
) -> None:
    spec["hyperParameters"]["adapterSize"] = size
    job = cancel_and_wait(engine, engine.tune(supervisedTuningSpec=spec))
    for found in (job, engine.get(f"v1beta1/{job['name']}").json()):
        assert found["supervisedTuningSpec"]["hyperParameters"]["adapterSize"] == "ADAPTER_SIZE_FOUR"


def test_snake_case_and_camel_case_mix_at_every_depth(engine: Engine, spec: dict[str, Any]) -> None:
    mixed = {
        "base_model": "studio-tiny",
        "supervisedTuningSpec": {
            "training_dataset_uri": spec["trainingDatasetUri"],
            "hyper_parameters": {"epochCount": 500, "adapter_size": "ADAPTER_SIZE_ONE"},
        },
        "tuned_model_display_name": "mixed",
    }
    job = cancel_and_wait(engine, engine.create(**mixed).json())
    assert (job["baseModel"], job["tunedModelDisplayName"]) == ("studio-tiny", "mixed")
    assert job["supervisedTuningSpec"]["trainingDatasetUri"] == spec["trainingDatasetUri"]
    assert job["supervisedTuningSpec"]["hyperParameters"]["adapterSize"] == "ADAPTER_SIZE_ONE"
    assert not [key for key in iter_field_names(job) if "_" in key]


def test_lone_object_trailing_comma_and_uppercase_role_are_accepted(
    engine: Engine, tuned: dict[str, Any], spec: dict[str, Any]
) -> None:
    endpoint = f"v1/{tuned['tunedModel']['endpoint']}"
    lone = """{"contents": {"role": "USER", "parts": {"text": "word 1"}},
               "generation_config": {"temperature": 0, "topK": 40,},}"""
    usual = {**QUESTION, "generationConfig": {"temperature": 0, "topK": 40}}
    answers = [post_text(engine, f"{endpoint}:generateContent", text) for text in (lone, json.dumps(usual))]
    texts = [answer.json()["candidates"][0]["content"]["parts"][0]["text"] for answer in answers]
    assert texts[0] == texts[1]
    body = json.dumps({"baseModel": "studio-tiny", "supervisedTuningSpec": spec})
    assert body.endswith("}}}")
    cancel_and_wait(engine, post_text(engine, f"{PROJECT}/tuningJobs", f"{body[:-1]},}}").json())


@pytest.mark.parametrize("text", ["", "{}"])
def test_cancel_accepts_a_missing_or_empty_body(engine: Engine, spec: dict[str, Any], text: str) -> None:
    job = engine.tune(supervisedTuningSpec=spec)
    answer = post_text(engine, f"v1/{job['name']}:cancel", text)
    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.wait(job)["state"] == "JOB_STATE_CANCELLED"


def test_experiment_named_by_a_job_exists(engine: Engine, spec: dict[str, Any]) -> None:
    """Whenever a job names its experiment, from its first moment on: the SDK asks for it at each refresh."""
    job = engine.tune(supervisedTuningSpec=spec)
    while "experiment" not in (found := engine.get(f"v1/{job['name']}").json()):
        assert found["state"] in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING")
    context = engine.get(f"v1/{found['experiment']}")
    cancel_and_wait(engine, job)
    assert context.status_code == 200
    assert context.json()["name"] == found["experiment"]
    assert context.json()["schemaTitle"] == "system.Experiment"
    assert "backing_tensorboard_resource" in context.json()["metadata"]


def test_query_parameters_of_gapic_clients_are_accepted(engine: Engine, tuned: dict[str, Any]) -> None:
    query = "?%24alt=json%3Benum-encoding%3Dint"
    found = engine.get(f"v1beta1/{tuned['name']}{query}")
    assert (found.status_code, found.json()["state"]) == (200, "JOB_STATE_SUCCEEDED")
    generate = f"v1/{tuned['tunedModel']['endpoint']}:generateContent{query}"
    assert engine.post(generate, QUESTION).json()["candidates"]
    stream = f"v1/{tuned['tunedModel']['endpoint']}:streamGenerateContent{query}"
    assert isinstance(engine.post(stream, QUESTION).json(), list)


@pytest.mark.slow
@pytest.mark.parametrize("project", ["123456789012", "my-project"])
def test_project_is_an_id_or_a_number_and_every_name_resolves(
    engine: Engine, spec: dict[str, Any], project: str
) -> None:
    parent = f"projects/{project}/locations/us-central1"
    body = {
        "baseModel": "studio-tiny",
        "supervisedTuningSpec": {**spec, "hyperParameters": {"epochCount": 1}},
    }
    job = engine.wait(engine.post(f"v1/{parent}/tuningJobs", body).json())
    model = job["tunedModel"]
    board = engine.get(f"v1/{job['experiment']}").json()["metadata"]["backing_tensorboard_resource"]
    for name in (job["name"], job["experiment"], model["model"], model["endpoint"], board):
        assert name.startswith(f"{parent}/")
        assert engine.get(f"v1/{name}").json()["name"].partition("@")[0] == name.partition("@")[0]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("GET", "tuningJobs/424242", None, 404, "NOT_FOUND"),
        ("POST", "tuningJobs", {"baseModel": "studio-tiny"}, 400, "INVALID_ARGUMENT"),
        ("POST", "tuningJobs", {"foo": 1}, 400, "INVALID_ARGUMENT"),
        ("POST", "endpoints/1:generateContent", QUESTION, 404, "NOT_FOUND"),
        ("GET", "nothingOfTheKind", None, 404, "NOT_FOUND"),
    ],
)
def test_errors_use_googles_envelope(
    engine: Engine, method: str, path: str, body: Any, status: int, word: str
) -> None:
    response = engine.call(method, f"{PROJECT}/{path}", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (status, status, word)
    assert error["message"]
    for detail in error.get("details", []):
        assert detail["@type"].startswith("type.googleapis.com/google.rpc.")
    if word == "INVALID_ARGUMENT":
        assert error["details"][0]["fieldViolations"][0]["description"]


def test_int64_is_a_string_double_a_number_time_ends_in_z_and_zero_is_absent(
    engine: Engine, tuned: dict[str, Any]
) -> None:
    hyper_parameters = tuned["supervisedTuningSpec"]["hyperParameters"]
    assert hyper_parameters["epochCount"] == "2"
    assert isinstance(hyper_parameters["learningRateMultiplier"], float)
    statistics = tuned["tuningDataStats"]["supervisedTuningDataStats"]
    assert statistics["tuningStepCount"] == "4"
    assert isinstance(statistics["userInputTokenDistribution"]["mean"], float)
    assert "totalTruncatedExampleCount" not in statistics
    assert [
        tuned[key] for key in ("createTime", "startTime", "endTime") if not TIME.fullmatch(tuned[key])
    ] == []
    [first, *others] = read_evaluation_points(engine, tuned)
    assert "step" not in first and [point["step"] for point in others] == ["1", "2", "3", "4"]
    assert all(TIME.fullmatch(point["wallTime"]) for point in [first, *others])


def read_evaluation_points(engine: Engine, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the validation loss, which is measured before the first step as well."""
    board = engine.get(f"v1/{job['experiment']}").json()["metadata"]["backing_tensorboard_resource"]
    run = f"{board}/experiments/{job['experiment'].rpartition('/')[2]}/runs/tuning-run-1"
    listed = engine.get(f"v1/{run}/timeSeries").json()["tensorboardTimeSeries"]
    [name] = [series["name"] for series in listed if series["displayName"] == "/eval_total_loss"]
    points: list[dict[str, Any]] = engine.get(f"v1/{name}:read").json()["timeSeriesData"]["values"]
    return points


def iter_field_names(value: Any) -> Iterator[str]:
    """Every field's name, at every depth; labels and the like are not among what these tests send."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from iter_field_names(inner)
