"""tuningJobs over HTTP, with a real trainer behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine.api.resource_names import Place
from engine.api.tuning_jobs import tuning_job_resource
from engine.queue.job_folder import JobFolder, build_first_state, utc_now
from tests.engine.running_engine import PROJECT, Engine

SPEC = "tuning_job.supervised_tuning_spec"


def test_a_job_runs_from_pending_to_a_tuned_model(tuned: dict[str, Any]) -> None:
    assert tuned["state"] == "JOB_STATE_SUCCEEDED", tuned
    assert re.fullmatch(r"projects/myproject/locations/us-central1/tuningJobs/\d{19}", tuned["name"])
    assert tuned["createTime"] <= tuned["startTime"] <= tuned["endTime"] <= tuned["updateTime"]
    assert re.fullmatch(r".*/metadataStores/default/contexts/tuning-experiment-\d+", tuned["experiment"])
    model = tuned["tunedModel"]
    assert re.fullmatch(r"projects/myproject/locations/us-central1/models/\d+@1", model["model"])
    assert [checkpoint["checkpointId"] for checkpoint in model["checkpoints"]] == ["1", "2"]
    assert [checkpoint["step"] for checkpoint in model["checkpoints"]] == ["2", "4"]
    assert model["endpoint"] == model["checkpoints"][-1]["endpoint"]
    stats = tuned["tuningDataStats"]["supervisedTuningDataStats"]
    assert (stats["tuningDatasetExampleCount"], stats["tuningStepCount"]) == ("8", "4")
    assert "tuningJobMetadata" not in tuned


def test_the_answer_to_create_shows_the_job_as_created(make_job: Callable[..., JobFolder]) -> None:
    """An idle runner may start the job before the answer is written."""
    folder = make_job()
    folder.write_state("RUNNING", startTime=utc_now())
    place = Place("v1", "myproject", "us-central1")
    created = tuning_job_resource(place, folder, build_first_state(folder.job))
    assert (created["state"], created["updateTime"]) == ("JOB_STATE_PENDING", created["createTime"])
    assert "startTime" not in created
    assert tuning_job_resource(place, folder)["state"] == "JOB_STATE_RUNNING"


def test_v1beta1_adds_progress_fields(engine: Engine, tuned: dict[str, Any]) -> None:
    job = engine.get(f"v1beta1/{tuned['name']}").json()
    assert job.pop("tuningJobMetadata") == {"completedEpochCount": "2", "completedStepCount": "4"}
    assert job == tuned


def test_v1beta1_reports_stage_and_progress_of_a_running_job(engine: Engine) -> None:
    job, waiting = engine.tune(epochs=5000), engine.tune()
    deadline = time.monotonic() + 120
    while not (found := engine.get(f"v1beta1/{job['name']}").json()).get("tuningJobMetadata"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (found["state"], found["tuningJobState"]) == ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_TUNING")
    assert int(found["tuningJobMetadata"]["completedStepCount"]) > 0
    pending = engine.get(f"v1beta1/{waiting['name']}").json()
    assert pending["tuningJobState"] == "TUNING_JOB_STATE_WAITING_FOR_CAPACITY"
    assert not {"tuningJobState", "tuningJobMetadata"} & set(engine.get(f"v1/{job['name']}").json())
    for one in (waiting, job):
        engine.post(f"v1/{one['name']}:cancel")


@pytest.mark.slow
def test_export_last_checkpoint_only_exports_one_checkpoint(engine: Engine) -> None:
    spec = {
        "trainingDatasetUri": engine.upload_examples("last.jsonl", 4),
        "hyperParameters": {"epochCount": 3},
        "exportLastCheckpointOnly": True,
    }
    tuned = engine.wait(engine.tune(supervisedTuningSpec=spec))["tunedModel"]
    assert set(tuned) == {"model", "endpoint"}
    (only,) = engine.get(f"v1/{tuned['model']}:listCheckpoints").json()["checkpoints"]
    assert (only["epoch"], only["step"]) == ("3", "3")
    assert engine.get(f"v1/{tuned['endpoint']}").json()["deployedModels"][0]["checkpointId"] == "1"


def test_omitted_fields_are_answered_with_defaults(engine: Engine) -> None:
    uri = engine.upload_examples("defaults.jsonl", 12)
    job = engine.create(
        baseModel="gemini-1.5-flash-002", supervisedTuningSpec={"trainingDatasetUri": uri}
    ).json()
    engine.post(f"v1/{job['name']}:cancel")
    assert job["state"] == "JOB_STATE_PENDING"
    assert job["supervisedTuningSpec"]["hyperParameters"] == {
        "epochCount": "4",
        "learningRateMultiplier": 1.0,
        "adapterSize": "ADAPTER_SIZE_EIGHT",
    }
    assert re.fullmatch(
        r"gemini-1\.5-flash-002-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", job["tunedModelDisplayName"]
    )


def test_enum_number_is_returned_as_its_name(engine: Engine) -> None:
    job = engine.tune(
        supervisedTuningSpec={
            "training_dataset_uri": engine.upload_examples("numbers.jsonl", 4),
            "hyper_parameters": {"adapterSize": "2", "epoch_count": "3"},
        }
    )
    engine.post(f"v1/{job['name']}:cancel")
    found = job["supervisedTuningSpec"]["hyperParameters"]
    assert (found["adapterSize"], found["epochCount"]) == ("ADAPTER_SIZE_FOUR", "3")


def test_cancel_ends_a_running_job_and_is_refused_for_a_finished_one(engine: Engine) -> None:
    job = engine.tune(epochs=5000)
    engine.wait(job, ("JOB_STATE_RUNNING",))
    assert engine.call("POST", f"v1/{job['name']}:cancel").json() == {}
    ended = engine.wait(job)
    assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_CANCELLED", 1)
    refused = engine.post(f"v1/{job['name']}:cancel", {})
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_pending_job_is_cancelled_without_running(engine: Engine) -> None:
    first, second = engine.tune(epochs=5000), engine.tune()
    assert engine.post(f"v1/{second['name']}:cancel", {}).json() == {}
    ended = engine.wait(second)
    assert ended["state"] == "JOB_STATE_CANCELLED"
    assert "startTime" not in ended and "experiment" not in ended
    engine.post(f"v1/{first['name']}:cancel")


@pytest.mark.slow
def test_job_data_stay_as_they_were_at_creation(engine: Engine) -> None:
    first = engine.tune(epochs=5000)
    job = engine.tune(examples=6)
    path = "storage/v1/b/data/o/train-6.jsonl"
    assert engine.call("DELETE", path).status_code == 204
    engine.post(f"v1/{first['name']}:cancel")
    ended = engine.wait(job)
    assert ended["state"] == "JOB_STATE_SUCCEEDED", ended


def test_a_second_create_with_the_same_submission_is_refused(engine: Engine) -> None:
    labels = {"studio-submission": "0123456789abcdef"}
    job = engine.tune(labels=labels)
    spec = {"trainingDatasetUri": "gs://data/gone.jsonl"}
    again = engine.create(baseModel="studio-tiny", labels=labels, supervisedTuningSpec=spec)
    assert (again.status_code, again.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert job["name"] in again.json()["error"]["message"]
    engine.post(f"v1/{job['name']}:cancel")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"baseModel": "gpt-2"}, "tuning_job.base_model", "Base model gpt-2 is not supported."),
        ({"baseModel": None}, "tuning_job.base_model", "base_model is required."),
        ({"supervisedTuningSpec": None}, SPEC, "supervised_tuning_spec is required"),
        (
            {"supervisedTuningSpec": {}},
            f"{SPEC}.training_dataset_uri",
            "training_dataset_uri is required.",
        ),
        (
            {"supervisedTuningSpec": {"trainingDatasetUri": "gs://data/train.csv"}},
            f"{SPEC}.training_dataset_uri",
            "training_dataset_uri should be a GCS object of type JSONL.",
        ),
        (
            {"supervisedTuningSpec": {"trainingDatasetUri": "gs://data/none.jsonl"}},
            f"{SPEC}.training_dataset_uri",
            "The object gs://data/none.jsonl does not exist",
        ),
        (
            {"tunedModelDisplayName": "x" * 129},
            "tuning_job.tuned_model_display_name",
            "at most 128 characters",
        ),
        ({"labels": {"Team": "a"}}, "tuning_job.labels", "Invalid label 'Team'"),
        ({"serviceAccount": "me"}, "tuning_job.service_account", "must be the email address"),
        (
            {"encryptionSpec": {"kms_key_name": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}},
            "tuning_job.encryption_spec.kms_key_name",
            "Customer-managed encryption keys are not supported",
        ),
        (
            {"customBaseModel": "gs://b/m"},
            "tuning_job.custom_base_model",
            "Add the model's folder to ENGINE_BASES",
        ),
        ({"outputUri": "gs://b/out"}, "tuning_job.output_uri", "output_uri is not supported"),
        ({"labels": {"team": "A b"}}, "tuning_job.labels", "Invalid label 'team'"),
    ],
)
def test_a_wrong_field_is_named(engine: Engine, change: dict[str, Any], field: str, message: str) -> None:
    uri = engine.upload_examples("small.jsonl", 4)
    body = {"baseModel": "studio-tiny", "supervisedTuningSpec": {"trainingDatasetUri": uri}, **change}
    response = engine.create(**body)
    error = response.json()["error"]
    violation = error["details"][0]["fieldViolations"][0]
    assert (response.status_code, error["status"], violation["field"]) == (400, "INVALID_ARGUMENT", field)
    assert message in violation["description"]
    assert error["message"].startswith(f"List of found errors:\t1.Field: {field}; Message: ")


EVALUATION = {
    "metrics": [{"pointwise_metric_spec": {"metric_prompt_template": "{response}"}}],
    "outputConfig": {"gcs_destination": {"output_uri_prefix": "gs://b/eval"}},
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tuningMode": "TUNING_MODE_FULL"}, "tuning_mode"),
        ({"evaluationConfig": {**EVALUATION, "metrics": []}}, "evaluation_config.metrics"),
        (
            {"evaluationConfig": {"metrics": EVALUATION["metrics"]}},
            "evaluation_config.output_config.gcs_destination.output_uri_prefix",
        ),
        (
            {"evaluationConfig": {**EVALUATION, "autoraterConfig": {"samplingCount": 33}}},
            "evaluation_config.autorater_config.sampling_count",
        ),
    ],
)
def test_a_wrong_field_of_the_spec_is_named(engine: Engine, change: dict[str, Any], field: str) -> None:
    spec = {"trainingDatasetUri": engine.upload_examples("small.jsonl", 4), **change}
    error = engine.create(baseModel="studio-tiny", supervisedTuningSpec=spec).json()["error"]
    assert [found["field"] for found in error["details"][0]["fieldViolations"]] == [f"{SPEC}.{field}"]


@pytest.mark.slow
def test_unused_fields_are_returned_unchanged_and_evaluations_are_reported_as_not_run(
    engine: Engine,
) -> None:
    spec = {
        "trainingDatasetUri": engine.upload_examples("small.jsonl", 4),
        "hyperParameters": {"epochCount": 1},
        "evaluationConfig": EVALUATION,
        "tuningMode": 2,
    }
    account = "tuner@myproject.iam.gserviceaccount.com"
    job = engine.tune(supervisedTuningSpec=spec, description="d", service_account=account)
    assert (job["description"], job["serviceAccount"]) == ("d", account)
    kept = job["supervisedTuningSpec"]
    assert "tuningMode" not in kept, "v1 has no such field"
    whole = engine.get(f"v1beta1/{job['name']}").json()["supervisedTuningSpec"]
    assert whole == {**kept, "tuningMode": "TUNING_MODE_PEFT_ADAPTER"}
    assert kept["evaluationConfig"]["outputConfig"]["gcsDestination"] == {"outputUriPrefix": "gs://b/eval"}
    assert "evaluateDatasetRuns" not in job
    ended = engine.wait(job)
    (evaluated,) = ended["evaluateDatasetRuns"]
    assert (evaluated["checkpointId"], evaluated["error"]["code"]) == ("1", 12)
    assert "does not support evaluation_config" in evaluated["error"]["message"]
    assert ended["state"] == "JOB_STATE_SUCCEEDED" and "gcsMetricsUri" not in ended


@pytest.mark.parametrize(
    ("hyper_parameters", "field"),
    [
        ({"epochCount": 0}, "epoch_count"),
        ({"learningRateMultiplier": 0}, "learning_rate_multiplier"),
        ({"learningRateMultiplier": "NaN"}, "learning_rate_multiplier"),
        ({"batchSize": 0}, "batch_size"),
        ({"batchSize": 257}, "batch_size"),
        ({"learningRate": -0.1}, "learning_rate"),
        ({"learningRate": 0.1, "learningRateMultiplier": 1}, "learning_rate"),
    ],
)
def test_a_wrong_hyper_parameter_is_named(
    engine: Engine, hyper_parameters: dict[str, Any], field: str
) -> None:
    uri = engine.upload_examples("small.jsonl", 4)
    spec = {"trainingDatasetUri": uri, "hyperParameters": hyper_parameters}
    error = engine.create(baseModel="studio-tiny", supervisedTuningSpec=spec).json()["error"]
    assert error["details"][0]["fieldViolations"][0]["field"] == f"{SPEC}.hyper_parameters.{field}"


def test_batch_size_and_learning_rate_are_refused_for_gemini_models(engine: Engine) -> None:
    chosen = {"epochCount": "1", "batchSize": "2", "learningRate": 0.02}
    spec = {"trainingDatasetUri": engine.upload_examples("small.jsonl", 4), "hyperParameters": chosen}
    refused = engine.create(baseModel="gemini-2.5-flash", supervisedTuningSpec=spec).json()["error"]
    assert refused["details"][0]["fieldViolations"][0] == {
        "field": f"{SPEC}.hyper_parameters.batch_size",
        "description": "batch_size is not supported for this base model.",
    }
    job = engine.wait(engine.tune(supervisedTuningSpec=spec))
    size = {"adapterSize": "ADAPTER_SIZE_FOUR"}
    whole = engine.get(f"v1beta1/{job['name']}").json()["supervisedTuningSpec"]["hyperParameters"]
    assert whole == {**chosen, **size}
    assert job["supervisedTuningSpec"]["hyperParameters"] == {"epochCount": "1", **size}, "as v1 knows it"
    stats = job["tuningDataStats"]["supervisedTuningDataStats"]
    assert (stats["tuningDatasetExampleCount"], stats["tuningStepCount"]) == ("4", "2")


def test_every_wrong_field_is_named_at_once(engine: Engine) -> None:
    spec = {"trainingDatasetUri": "train.jsonl", "hyperParameters": {"epochCount": -1}}
    error = engine.create(baseModel="none", supervisedTuningSpec=spec).json()["error"]
    assert len(error["details"][0]["fieldViolations"]) == 3


def test_adapter_size_unknown_to_the_model_is_refused(engine: Engine) -> None:
    uri = engine.upload_examples("small.jsonl", 4)
    spec = {"trainingDatasetUri": uri, "hyperParameters": {"adapterSize": "ADAPTER_SIZE_THIRTY_TWO"}}
    error = engine.create(baseModel="gemini-2.5-flash", supervisedTuningSpec=spec).json()["error"]
    assert error["message"] == "The adapter size is not supported for this base model."


@pytest.mark.parametrize(
    ("model", "training", "validation", "field"),
    [
        ("studio-tiny", 0, None, "training_dataset_uri"),
        ("gemini-1.5-pro-002", 4, 257, "validation_dataset_uri"),
        ("gemini-2.5-flash", 4, 1001, "validation_dataset_uri"),
    ],
)
def test_datasets_of_an_invalid_size_are_refused(
    engine: Engine, model: str, training: int, validation: int | None, field: str
) -> None:
    spec = {"trainingDatasetUri": engine.upload_examples("size.jsonl", training)}
    if validation:
        spec["validationDatasetUri"] = engine.upload_examples("held-out.jsonl", validation)
    response = engine.create(baseModel=model, supervisedTuningSpec=spec)
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["fieldViolations"][0]["field"] == f"{SPEC}.{field}"


def test_lists_are_filtered_and_paged_newest_first(engine: Engine) -> None:
    place = "v1/projects/lists/locations/europe-west4/tuningJobs"
    uri = engine.upload_examples("small.jsonl", 4)
    spec = {"trainingDatasetUri": uri}
    names = []
    for number in range(5):
        body = {"baseModel": "studio-tiny", "supervisedTuningSpec": spec, "labels": {"n": str(number % 2)}}
        names.append(engine.post(place, body).json()["name"])
        engine.post(f"v1/{names[-1]}:cancel")
    first = engine.get(place, params={"pageSize": 2}).json()
    second = engine.get(place, params={"pageSize": 9, "pageToken": first["nextPageToken"]}).json()
    listed = [job["name"] for page in (first, second) for job in page["tuningJobs"]]
    assert listed == names[::-1]
    assert "nextPageToken" not in second
    odd = engine.get(place, params={"filter": "labels.n=1"}).json()
    assert [job["name"] for job in odd["tuningJobs"]] == [names[3], names[1]]
    both = engine.get(place, params={"filter": 'labels.n:* AND tuned_model_display_name="x"'})
    assert both.json() == {}
    assert engine.get(place, params={"filter": "what is this"}).status_code == 400
    assert engine.get("v1/projects/lists/locations/us-central1/tuningJobs").json() == {}


def test_paging_continues_after_a_job_no_longer_matching_the_filter(engine: Engine) -> None:
    place = "v1/projects/changing/locations/europe-west4/tuningJobs"
    uri = engine.upload_examples("small.jsonl", 4)
    blocking = engine.tune(epochs=5000)
    body = {"baseModel": "studio-tiny", "supervisedTuningSpec": {"trainingDatasetUri": uri}}
    oldest, newest = (engine.post(place, body).json() for _ in range(2))
    asked = {"pageSize": 1, "filter": "state=JOB_STATE_PENDING"}
    first = engine.get(place, params=asked).json()
    assert [job["name"] for job in first["tuningJobs"]] == [newest["name"]]
    engine.post(f"v1/{newest['name']}:cancel")
    engine.wait(newest)
    rest = engine.get(place, params={**asked, "pageToken": first["nextPageToken"]}).json()
    assert [job["name"] for job in rest["tuningJobs"]] == [oldest["name"]]
    for job in (oldest, blocking):
        engine.post(f"v1/{job['name']}:cancel")


def test_list_without_a_project_has_the_jobs_of_all_projects(engine: Engine, tuned: dict[str, Any]) -> None:
    """google-genai asks so with an API key."""
    place = "v1/projects/alone/locations/europe-west4/tuningJobs"
    spec = {"trainingDatasetUri": engine.upload_examples("small.jsonl", 4)}
    job = engine.post(place, {"baseModel": "studio-tiny", "supervisedTuningSpec": spec}).json()
    engine.post(f"v1/{job['name']}:cancel")
    asked = {"pageSize": 1000}
    listed = engine.get("v1beta1/tuningJobs", params=asked, headers={"x-goog-api-key": "any"}).json()
    assert {job["name"], tuned["name"]} <= {found["name"] for found in listed["tuningJobs"]}


def test_a_job_is_found_only_in_its_own_project_and_location(engine: Engine, tuned: dict[str, Any]) -> None:
    job_id = tuned["name"].rpartition("/")[2]
    assert engine.get(f"{PROJECT}/tuningJobs/{job_id}").status_code == 200
    for path in (
        f"v1/projects/other/locations/us-central1/tuningJobs/{job_id}",
        f"v1/projects/myproject/locations/europe-west4/tuningJobs/{job_id}",
        f"{PROJECT}/tuningJobs/424242",
    ):
        error = engine.get(path).json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")


def test_unusable_dataset_fails_the_job_with_a_reason(engine: Engine) -> None:
    uri = engine.upload("broken.jsonl", '{"contents": "no list"}\n' * 4)
    job = engine.tune(supervisedTuningSpec={"trainingDatasetUri": uri})
    ended = engine.wait(job)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert ended["error"]["message"]
    assert "tunedModel" not in ended
