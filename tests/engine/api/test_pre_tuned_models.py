"""Continuous tuning over HTTP: where a job goes on from, and the versions of a model that come of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.running_engine import PROJECT, Engine

SPEC = "tuning_job.supervised_tuning_spec"
HELLO = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 2}}


def continue_tuning(engine: Engine, pre_tuned: dict[str, str], **body: Any) -> dict[str, Any]:
    return engine.tune(baseModel=None, preTunedModel=pre_tuned, **body)


def read_eval_losses(engine: Engine, job: dict[str, Any]) -> dict[int, float]:
    """Step -> loss over the validation set."""
    experiment = job["experiment"].rpartition("/")[2]
    board = engine.get(f"{PROJECT}/tensorboards").json()["tensorboards"][0]["name"]
    series = f"v1/{board}/experiments/{experiment}/runs/tuning-run-1/timeSeries"
    listed = engine.get(series, params={"filter": 'display_name="/eval_total_loss"'}).json()
    points = engine.get(f"v1/{listed['tensorboardTimeSeries'][0]['name']}:read").json()["timeSeriesData"]
    return {int(point.get("step", 0)): point["scalar"]["value"] for point in points["values"]}


@pytest.fixture(scope="module")
def parent(engine: Engine) -> dict[str, Any]:
    return engine.wait(engine.tune(epochs=2, tunedModelDisplayName="parent", labels={"crew": "red"}))


@pytest.fixture(scope="module")
def model(parent: dict[str, Any]) -> str:
    """Its name without version."""
    name: str = parent["tunedModel"]["model"].removesuffix("@1")
    return name


@pytest.fixture(scope="module")
def child(engine: Engine, parent: dict[str, Any], model: str) -> dict[str, Any]:
    return engine.wait(continue_tuning(engine, {"tunedModelName": model}, epochs=2, labels={"crew": "blue"}))


def test_job_names_its_pre_tuned_model(child: dict[str, Any], model: str) -> None:
    assert child["state"] == "JOB_STATE_SUCCEEDED", child
    assert child["preTunedModel"] == {
        "tunedModelName": f"{model}@1",
        "checkpointId": "2",
        "baseModel": "studio-tiny",
    }
    assert "baseModel" not in child
    assert child["tunedModelDisplayName"] == "parent"


def test_continued_job_starts_at_the_loss_of_its_parent(
    engine: Engine, parent: dict[str, Any], child: dict[str, Any]
) -> None:
    before, after = read_eval_losses(engine, parent), read_eval_losses(engine, child)
    assert after[0] == pytest.approx(before[4], rel=1e-6)
    assert after[4] != after[0]


@pytest.mark.slow
def test_job_can_start_from_an_earlier_checkpoint(engine: Engine, parent: dict[str, Any], model: str) -> None:
    asked = {"tuned_model_name": f"{model}@default", "checkpoint_id": "1"}
    job = engine.wait(continue_tuning(engine, asked, tunedModelDisplayName="another"))
    assert read_eval_losses(engine, job)[0] == pytest.approx(read_eval_losses(engine, parent)[2], rel=1e-6)
    assert job["preTunedModel"]["checkpointId"] == "1"
    assert job["tunedModel"]["model"].endswith("@1") and not job["tunedModel"]["model"].startswith(model)


def test_same_display_name_makes_the_next_version(
    engine: Engine, child: dict[str, Any], parent: dict[str, Any], model: str
) -> None:
    assert child["tunedModel"]["model"] == f"{model}@2"
    versions = engine.get(f"v1/{model}:listVersions").json()["models"]
    assert [(found["name"], found["versionId"]) for found in versions] == [(model, "2"), (model, "1")]
    assert [found.get("versionAliases") for found in versions] == [None, ["default"]]
    assert [found["labels"]["crew"] for found in versions] == ["blue", "red"]
    assert engine.get(f"v1/{model}").json()["versionId"] == "1"
    second = engine.get(f"v1/{model}@2").json()
    assert second == versions[0]
    assert second["displayName"] == "parent"
    endpoint = engine.get(f"v1/{child['tunedModel']['endpoint']}").json()
    (served,) = endpoint["deployedModels"]
    assert (served["model"], served["modelVersionId"]) == (f"{model}@2", "2")
    assert child["tunedModel"]["endpoint"] != parent["tunedModel"]["endpoint"]


def test_versions_are_paged(engine: Engine, child: dict[str, Any], model: str) -> None:
    path = f"v1/{model}:listVersions"
    first = engine.get(path, params={"pageSize": 1}).json()
    rest = engine.get(path, params={"pageToken": first["nextPageToken"]}).json()
    assert [page["models"][0]["versionId"] for page in (first, rest)] == ["2", "1"]


def test_a_model_is_listed_once_by_its_default_version(
    engine: Engine, child: dict[str, Any], model: str
) -> None:
    listed = engine.get(f"{PROJECT}/models", params={"filter": f"model={model.rpartition('/')[2]}"}).json()
    assert [(found["name"], found["versionId"]) for found in listed["models"]] == [(model, "1")]


def test_other_adapter_size_than_the_parents_is_refused(
    engine: Engine, parent: dict[str, Any], model: str
) -> None:
    uri = engine.upload_examples("size.jsonl", 4)
    spec: dict[str, Any] = {"trainingDatasetUri": uri, "hyperParameters": {"adapterSize": "ADAPTER_SIZE_TWO"}}
    body = {"preTunedModel": {"tunedModelName": model}, "supervisedTuningSpec": spec}
    error = engine.create(**body).json()["error"]
    assert error["details"][0]["fieldViolations"][0] == {
        "field": f"{SPEC}.hyper_parameters.adapter_size",
        "description": "The pre-tuned model has ADAPTER_SIZE_FOUR. Leave adapter_size out.",
    }
    spec["hyperParameters"]["adapterSize"] = "ADAPTER_SIZE_FOUR"
    job = engine.create(**body).json()
    engine.post(f"v1/{job['name']}:cancel")
    assert job["supervisedTuningSpec"]["hyperParameters"]["adapterSize"] == "ADAPTER_SIZE_FOUR"


@pytest.mark.parametrize(
    ("name", "checkpoint", "field", "message"),
    [
        ("{model}@9", "", "tuned_model_name", "The Model {model}@9 does not exist."),
        ("{place}/models/777001", "", "tuned_model_name", "does not exist"),
        ("my model", "", "tuned_model_name", "tuned_model_name must be {place}/models/MODEL"),
        ("", "", "tuned_model_name", "tuned_model_name must be {place}/models/MODEL"),
        (
            "projects/other/locations/us-central1/models/1",
            "",
            "tuned_model_name",
            "tuned_model_name must be {place}/models/MODEL",
        ),
        ("{model}@1", "9", "checkpoint_id", "{model}@1 has no checkpoint 9. Available checkpoints: 1, 2."),
    ],
)
def test_missing_model_or_checkpoint_is_refused(
    engine: Engine, model: str, name: str, checkpoint: str, field: str, message: str
) -> None:
    known = {"model": model, "place": PROJECT.removeprefix("v1/")}
    spec = {"trainingDatasetUri": engine.upload_examples("small.jsonl", 4)}
    asked = {"tunedModelName": name.format(**known), "checkpointId": checkpoint}
    response = engine.create(preTunedModel=asked, supervisedTuningSpec=spec)
    violation = response.json()["error"]["details"][0]["fieldViolations"][0]
    assert (response.status_code, violation["field"]) == (400, f"tuning_job.pre_tuned_model.{field}")
    assert message.format(**known) in violation["description"]


def test_base_model_with_pre_tuned_model_is_refused(engine: Engine, model: str) -> None:
    body = {"baseModel": "studio-tiny", "preTunedModel": {"tunedModelName": model}}
    assert "oneof field 'source_model' is already set" in engine.create(**body).json()["error"]["message"]


def undeploy_and_delete_endpoints(engine: Engine, job: dict[str, Any]) -> None:
    for checkpoint in job["tunedModel"]["checkpoints"]:
        endpoint = f"v1/{checkpoint['endpoint']}"
        served = engine.get(endpoint).json()["deployedModels"][0]["id"]
        engine.post(f"{endpoint}:undeployModel", {"deployedModelId": served}).raise_for_status()


@pytest.mark.slow
def test_versions_are_changed_and_deleted_individually(engine: Engine) -> None:
    first = engine.wait(engine.tune())
    model = first["tunedModel"]["model"].removesuffix("@1")
    only = engine.call("DELETE", f"v1/{model}@1:deleteVersion")
    assert (only.status_code, only.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert "is the only version" in only.json()["error"]["message"]
    second, third = (
        engine.wait(continue_tuning(engine, {"tunedModelName": f"{model}@{version}"}))
        for version in ("1", "2")
    )
    assert third["preTunedModel"]["tunedModelName"] == f"{model}@2"

    patched = engine.call("PATCH", f"v1/{model}@2", json={"versionDescription": "w", "labels": {"a": "b"}})
    assert (patched.json()["versionDescription"], patched.json()["labels"]["a"]) == ("w", "b")
    assert "versionDescription" not in engine.get(f"v1/{model}@1").json()
    engine.call("PATCH", f"v1/{model}", json={"displayName": "renamed"}).raise_for_status()
    assert engine.get(f"v1/{model}@3").json()["displayName"] == "renamed"
    for path, body in ((f"{model}@2", {"displayName": "x"}), (model, {"versionDescription": "x"})):
        refused = engine.call("PATCH", f"v1/{path}", json=body).json()["error"]
        assert refused["status"] == "FAILED_PRECONDITION"

    deployed = engine.call("DELETE", f"v1/{model}@1:deleteVersion").json()["error"]
    assert deployed["status"] == "FAILED_PRECONDITION" and "Undeploy it first" in deployed["message"]
    undeploy_and_delete_endpoints(engine, first)
    assert engine.call("DELETE", f"v1/{model}%401:deleteVersion").json()["done"]
    assert engine.get(f"v1/{model}@1").status_code == 404
    assert engine.get(f"v1/{model}").json()["versionId"] == "3"
    assert engine.call("DELETE", f"v1/{model}:deleteVersion").status_code == 400
    assert engine.call("DELETE", f"v1/{model}@2").status_code == 400

    undeploy_and_delete_endpoints(engine, second)
    blocked = engine.call("DELETE", f"v1/{model}").json()["error"]["message"]
    assert third["tunedModel"]["endpoint"] in blocked
    undeploy_and_delete_endpoints(engine, third)
    assert engine.call("DELETE", f"v1/{model}").json()["done"]
    assert engine.get(f"v1/{model}@2").status_code == 404
    assert engine.get(f"v1/{model}:listVersions").status_code == 404


@pytest.mark.slow
def test_deleting_the_parent_does_not_affect_the_job(engine: Engine) -> None:
    """The job keeps the weights that it begins with."""
    first = engine.wait(engine.tune())
    model = first["tunedModel"]["model"].removesuffix("@1")
    busy = engine.tune(epochs=5000)
    waiting = continue_tuning(engine, {"tunedModelName": model})
    undeploy_and_delete_endpoints(engine, first)
    engine.call("DELETE", f"v1/{model}").raise_for_status()
    engine.post(f"v1/{busy['name']}:cancel")
    ended = engine.wait(waiting)
    assert ended["state"] == "JOB_STATE_SUCCEEDED", ended
    assert engine.get(f"v1/{model}").json()["versionId"] == "2"
    assert engine.post(f"v1/{ended['tunedModel']['endpoint']}:generateContent", HELLO).status_code == 200
