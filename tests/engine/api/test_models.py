"""Tuned models and endpoints over HTTP, from their first reading to their deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.running_engine import PROJECT, Engine

HELLO = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 2}}


def list_names(answer: dict[str, Any], key: str) -> list[str]:
    return [found["name"] for found in answer.get(key, [])]


@pytest.mark.parametrize("suffix", ["", "@1", "%401", "@default"])
def test_model_is_found_by_id_with_and_without_version(
    engine: Engine, tuned: dict[str, Any], suffix: str
) -> None:
    name = tuned["tunedModel"]["model"].removesuffix("@1")
    model = engine.get(f"v1/{name}{suffix}").json()
    assert (model["name"], model["versionId"], model["displayName"]) == (name, "1", "colours")
    assert model["labels"]["team"] == "red" and "tune-type" in model["labels"]
    assert model["baseModelSource"]["genieSource"]["baseModelUri"] == "publishers/google/models/studio-tiny"
    assert [found["endpoint"] for found in model["deployedModels"]] == [
        found["endpoint"] for found in tuned["tunedModel"]["checkpoints"]
    ]
    assert [found["checkpointId"] for found in model["checkpoints"]] == ["1", "2"]


def test_versions_and_checkpoints_are_listed(engine: Engine, tuned: dict[str, Any]) -> None:
    name = tuned["tunedModel"]["model"]
    versions = engine.get(f"v1/{name.removesuffix('@1')}:listVersions").json()["models"]
    assert [version["versionId"] for version in versions] == ["1"]
    checkpoints = engine.get(f"v1/{name}:listCheckpoints").json()["checkpoints"]
    assert checkpoints == [
        {"checkpointId": "1", "epoch": "1", "step": "2"},
        {"checkpointId": "2", "epoch": "2", "step": "4"},
    ]


def test_models_and_endpoints_are_listed_and_filtered(engine: Engine, tuned: dict[str, Any]) -> None:
    model = tuned["tunedModel"]["model"].removesuffix("@1")
    listed = engine.get(f"{PROJECT}/models?filter=labels.tune-type:*").json()
    assert model in list_names(listed, "models")
    endpoints = engine.get(f"{PROJECT}/endpoints", params={"filter": "labels.team=red"}).json()
    assert tuned["tunedModel"]["endpoint"] in list_names(endpoints, "endpoints")
    assert engine.get(f"{PROJECT}/endpoints", params={"filter": "labels.team=blue"}).json() == {}


def test_endpoint_names_its_deployed_model(engine: Engine, tuned: dict[str, Any]) -> None:
    endpoint = engine.get(f"v1/{tuned['tunedModel']['endpoint']}").json()
    (served,) = endpoint["deployedModels"]
    assert (served["model"], served["checkpointId"]) == (tuned["tunedModel"]["model"], "2")
    assert endpoint["trafficSplit"] == {served["id"]: 100}


@pytest.fixture(scope="module")
def own(engine: Engine) -> dict[str, Any]:
    """A tuned model to change, and in the end to delete."""
    found: dict[str, Any] = engine.wait(engine.tune(epochs=2))["tunedModel"]
    return found


def test_model_name_and_default_checkpoint_can_be_changed(engine: Engine, own: dict[str, Any]) -> None:
    name = own["model"].removesuffix("@1")
    path = f"v1beta1/{name}"
    patched = engine.call("PATCH", path, json={"displayName": "n", "defaultCheckpointId": "1"}).json()
    assert (patched["displayName"], patched["defaultCheckpointId"]) == ("n", "1")
    assert engine.get(path).json() == patched
    job = next(
        job
        for job in engine.get(f"{PROJECT}/tuningJobs").json()["tuningJobs"]
        if job.get("tunedModel", {}).get("model") == own["model"]
    )
    assert job["tunedModel"]["endpoint"] == own["checkpoints"][0]["endpoint"]
    masked = engine.call(
        "PATCH", f"{path}?updateMask=description", json={"displayName": "m", "description": "d"}
    ).json()
    assert (masked["displayName"], masked["description"]) == ("n", "d")
    assert engine.call("PATCH", path, json={"defaultCheckpointId": "9"}).status_code == 400
    assert engine.call("PATCH", f"{path}?updateMask=checkpoints", json={}).status_code == 400


def test_changing_one_label_keeps_the_others(engine: Engine, own: dict[str, Any]) -> None:
    path = f"v1/{own['model'].removesuffix('@1')}"
    before = engine.get(path).json()["labels"]
    patched = engine.call(
        "PATCH", f"{path}?updateMask=labels.team", json={"labels": {"team": "x", "no": "y"}}
    )
    assert patched.json()["labels"] == {**before, "team": "x"}
    wrong = engine.call("PATCH", f"{path}?updateMask=labels", json={"labels": {"Team": "x"}}).json()["error"]
    assert wrong["details"][0]["fieldViolations"][0]["field"] == "model.labels"


def test_full_model_can_be_sent_back_with_one_change(engine: Engine, own: dict[str, Any]) -> None:
    """As google-cloud-aiplatform does."""
    path = f"v1/{own['model'].removesuffix('@1')}"
    read = engine.get(path).json()
    changed = engine.call("PATCH", f"{path}?updateMask=displayName", json={**read, "displayName": "whole"})
    assert (changed.json()["displayName"], changed.json()["labels"]) == ("whole", read["labels"])
    stale = engine.call("PATCH", f"{path}?updateMask=displayName", json={**read, "displayName": "late"})
    assert (stale.status_code, stale.json()["error"]["status"]) == (409, "ABORTED")


def test_endpoint_name_and_labels_can_be_changed(engine: Engine, own: dict[str, Any]) -> None:
    first, second = (f"v1/{checkpoint['endpoint']}" for checkpoint in own["checkpoints"])
    before = engine.get(first).json()
    body = {**before, "displayName": "chat", "description": "d", "labels": {"a": "b"}}
    patched = engine.call("PATCH", f"{first}?updateMask=displayName,description,labels", json=body).json()
    assert (patched["displayName"], patched["description"], patched["labels"]) == ("chat", "d", {"a": "b"})
    assert patched == engine.get(first).json()
    assert patched["deployedModels"] == before["deployedModels"]
    assert engine.get(second).json()["displayName"] == before["displayName"]
    found = engine.get(f"{PROJECT}/endpoints", params={"filter": 'display_name="chat" AND labels.a=b'}).json()
    assert list_names(found, "endpoints") == [first.removeprefix("v1/")]
    split = engine.call("PATCH", f"{first}?updateMask=trafficSplit", json={"trafficSplit": {"1": 100}}).json()
    assert split["error"]["details"][0]["fieldViolations"][0]["field"] == "endpoint.traffic_split"
    same = {"trafficSplit": before["trafficSplit"]}
    assert engine.call("PATCH", f"{first}?updateMask=trafficSplit", json=same).status_code == 200
    assert engine.call("PATCH", f"{first}?updateMask=network", json={}).status_code == 400
    assert engine.call("PATCH", f"{PROJECT}/endpoints/888001", json={}).status_code == 404


def test_lists_are_ordered_and_filtered_as_documented(engine: Engine, own: dict[str, Any]) -> None:
    endpoint = own["endpoint"].rpartition("/")[2]
    for name in (f"endpoint={endpoint}", f'endpoint={endpoint} AND base_model_name="studio-tiny"'):
        listed = engine.get(f"{PROJECT}/endpoints", params={"filter": name}).json()
        assert list_names(listed, "endpoints") == [own["endpoint"]]
    for kind in ("models", "endpoints"):
        listed = engine.get(f"{PROJECT}/{kind}", params={"orderBy": "create_time"}).json()[kind]
        times = [found["createTime"] for found in listed]
        assert times == sorted(times)
        backwards = engine.get(f"{PROJECT}/{kind}", params={"orderBy": "create_time desc"}).json()[kind]
        assert [found["createTime"] for found in backwards] == times[::-1]
        assert engine.get(f"{PROJECT}/{kind}", params={"orderBy": "etag"}).status_code == 400


def test_model_is_deleted_only_after_undeploying(engine: Engine, own: dict[str, Any]) -> None:
    model = f"v1/{own['model'].removesuffix('@1')}"
    assert engine.call("DELETE", model).json()["error"]["status"] == "FAILED_PRECONDITION"
    for checkpoint in own["checkpoints"]:
        endpoint = f"v1/{checkpoint['endpoint']}"
        assert engine.call("DELETE", endpoint).json()["error"]["status"] == "FAILED_PRECONDITION"
        served = engine.get(endpoint).json()["deployedModels"][0]["id"]
        undeployed = engine.post(f"{endpoint}:undeployModel", {"deployedModelId": served}).json()
        assert engine.post(f"v1/{undeployed['name']}:wait").json() == undeployed
        assert engine.get(f"{PROJECT}/operations").json()["operations"][0] == undeployed
        assert undeployed["done"] and engine.get(f"v1/{undeployed['name']}").json() == undeployed
        assert engine.post(f"{endpoint}:undeployModel", {"deployedModelId": served}).status_code == 404
        assert "deployedModels" not in engine.get(endpoint).json()
        refused = engine.post(f"{endpoint}:generateContent", HELLO)
        assert (refused.status_code, refused.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
        deleted = engine.call("DELETE", endpoint).json()
        assert deleted["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
        assert engine.call("DELETE", endpoint).status_code == 404
        assert engine.post(f"{endpoint}:generateContent", HELLO).status_code == 404
    assert engine.call("DELETE", model).json()["done"]
    assert engine.get(model).status_code == 404
    assert engine.call("DELETE", model).status_code == 404
    assert not list(
        engine.root.glob(f"jobs/{own['endpoint'].rpartition('/')[2][:19]}/checkpoints/*/*.safetensors")
    )


@pytest.mark.parametrize(
    "path",
    ["models/777001@1:mergeVersionAliases", "tuningJobs:rebaseTunedModel", "endpoints/1:computeTokens"],
)
def test_unimplemented_method_returns_501(engine: Engine, tuned: dict[str, Any], path: str) -> None:
    known = tuned["tunedModel"]["endpoint"].rpartition("/")[2]
    response = engine.post(f"{PROJECT}/{path.replace('endpoints/1', f'endpoints/{known}')}", {})
    assert (response.status_code, response.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
    assert path.rpartition(":")[2] in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["", "v1beta1/models"])
def test_path_without_a_project_names_what_is_missing(engine: Engine, path: str) -> None:
    error = engine.get(path).json()["error"]
    assert error["status"] == "NOT_FOUND" and "/projects/PROJECT/locations/LOCATION" in error["message"]


@pytest.mark.parametrize("path", ["models/777001", "endpoints/888001", "operations/42", "operations/x"])
def test_missing_resource_returns_404(engine: Engine, path: str) -> None:
    assert engine.get(f"{PROJECT}/{path}").json()["error"]["status"] == "NOT_FOUND"
