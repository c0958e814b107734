"""The Model Registry, as far as tuning fills it: tuned models, and the endpoints of their checkpoints.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models
"""

import threading
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse

from engine import operations, wire
from engine.errors import ApiError, invalid, not_found
from engine.folder import Checkpoint, now
from engine.paging import listing
from engine.place import Place
from engine.tuned import VERSION, Changes, Tuned, all_tuned

Json = dict[str, Any]

_changing = threading.Lock()


def list_models(request: HttpRequest, place: Place) -> HttpResponse:
    models = [model_resource(tuned) for tuned in all_tuned(place) if tuned.has_model]
    return wire.reply(listing(request, "models", models))


def get_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    return wire.reply(model_resource(Tuned.of_model(place, model)))


def list_versions(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    return wire.reply(listing(request, "models", [model_resource(Tuned.of_model(place, model))]))


def list_checkpoints(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    tuned = Tuned.of_model(place, model)
    checkpoints = [{"name": found["checkpointId"], **found} for found in _checkpoints(tuned)]
    answer = listing(request, "checkpoints", checkpoints)
    for checkpoint in answer.get("checkpoints", []):
        del checkpoint["name"]
    return wire.reply(answer)


def model_resource(tuned: Tuned) -> Json:
    first = checkpoint_time(tuned.checkpoints[0])
    updated = tuned.changes.updated or checkpoint_time(tuned.checkpoints[-1])
    described = {"description": tuned.changes.description} if tuned.changes.description else {}
    return {
        "name": tuned.model,
        "versionId": VERSION,
        "versionAliases": ["default"],
        "displayName": display_name(tuned),
        **described,
        "createTime": first,
        "updateTime": updated,
        "versionCreateTime": first,
        "versionUpdateTime": updated,
        "etag": updated,
        "labels": labels(tuned),
        "modelSourceInfo": {"sourceType": "GENIE"},
        "baseModelSource": {
            "genieSource": {"baseModelUri": f"publishers/google/models/{tuned.job['model']}"}
        },
        "deployedModels": [
            {
                "endpoint": tuned.endpoint(checkpoint),
                "deployedModelId": tuned.endpoint_id(checkpoint),
                "checkpointId": checkpoint,
            }
            for checkpoint in deployed(tuned)
        ],
        "checkpoints": _checkpoints(tuned),
        "defaultCheckpointId": tuned.default_checkpoint,
    }


def _checkpoints(tuned: Tuned) -> list[Json]:
    return [
        {
            "checkpointId": checkpoint.checkpoint_id,
            "epoch": str(checkpoint.epoch),
            "step": str(checkpoint.step),
        }
        for checkpoint in tuned.checkpoints
    ]


def checkpoint_time(checkpoint: Checkpoint) -> str:
    return wire.timestamp((checkpoint.folder / "checkpoint.json").stat().st_mtime)


def display_name(tuned: Tuned) -> str:
    name: str = tuned.changes.display_name or tuned.job["request"]["tunedModelDisplayName"]
    return name


def labels(tuned: Tuned) -> dict[str, str]:
    """The job's own; clients that look for tuned models filter by tune-type."""
    if tuned.changes.labels is not None:
        return tuned.changes.labels
    return {"tune-type": "sft", **_base_model(tuned), **tuned.job["request"].get("labels", {})}


def _base_model(tuned: Tuned) -> dict[str, str]:
    return {"google-vertex-llm-tuning-base-model-id": tuned.job["model"].rpartition("/")[2]}


def deployed(tuned: Tuned) -> list[str]:
    """The checkpoints that their endpoint still serves."""
    return [checkpoint for checkpoint in tuned.endpoints if checkpoint not in tuned.changes.undeployed]


def patch_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    """Without updateMask, the fields in the body are the ones to change."""
    body = wire.read(request, "Model", root="model")
    mask = {wire.snake(path.strip()) for path in request.GET.get("updateMask", "").split(",") if path.strip()}
    with _changing:
        tuned = Tuned.of_model(place, model)
        tuned.changes = changed(tuned, {wire.snake(key): value for key, value in body.items()}, mask)
        tuned.save()
    return wire.reply(model_resource(tuned))


def changed(tuned: Tuned, body: Json, mask: set[str]) -> Changes:
    wanted = {key: body.get(key) for key in mask} if mask else body
    unknown = set(wanted) - {"display_name", "description", "labels", "default_checkpoint_id"}
    if unknown:
        raise invalid(f"{', '.join(sorted(unknown))} cannot be changed.", "update_mask")
    checkpoint = wanted.pop("default_checkpoint_id", None) or tuned.changes.default_checkpoint
    if checkpoint and tuned.checkpoint(checkpoint) is None:
        raise invalid(f"The model has no checkpoint {checkpoint}.", "model.default_checkpoint_id")
    if len(wanted.get("display_name") or "") > 128:
        raise invalid("display_name can have at most 128 characters.", "model.display_name")
    named = {**wanted, "display_name": wanted.get("display_name") or tuned.changes.display_name}
    return replace(tuned.changes, **named, default_checkpoint=checkpoint, updated=now())


def delete_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    """The adapters' weights go as well; the tuning job stays listed, as it does at Google."""
    with _changing:
        tuned = Tuned.of_model(place, model)
        if deployed(tuned):
            names = ", ".join(tuned.endpoint(checkpoint) for checkpoint in deployed(tuned))
            message = f"The Model {tuned.model} is deployed or being deployed at: {names}. Undeploy it first."
            raise ApiError("FAILED_PRECONDITION", message)
        tuned.changes = replace(tuned.changes, model_deleted=True, updated=now())
        tuned.save()
        for checkpoint in tuned.checkpoints:
            (checkpoint.folder / "adapter_model.safetensors").unlink(missing_ok=True)
    return operations.done(place, "Delete")


def list_endpoints(request: HttpRequest, place: Place) -> HttpResponse:
    endpoints = [
        endpoint_resource(tuned, checkpoint)
        for tuned in all_tuned(place)
        for checkpoint in reversed(tuned.endpoints)
    ]
    return wire.reply(listing(request, "endpoints", endpoints))


def get_endpoint(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    return wire.reply(endpoint_resource(*_endpoint(place, endpoint)))


def _endpoint(place: Place, endpoint: str) -> tuple[Tuned, str]:
    tuned, checkpoint = Tuned.of_endpoint(place, endpoint)
    if tuned.checkpoint(checkpoint) is None:
        raise not_found(f"The Endpoint {place.name('endpoints', endpoint)} does not exist.")
    return tuned, checkpoint


def endpoint_resource(tuned: Tuned, checkpoint_id: str) -> Json:
    checkpoint = next(found for found in tuned.checkpoints if found.checkpoint_id == checkpoint_id)
    made = checkpoint_time(checkpoint)
    resource: Json = {
        "name": tuned.endpoint(checkpoint_id),
        "displayName": display_name(tuned),
        "etag": tuned.changes.updated or made,
        "labels": labels(tuned),
        "createTime": made,
        "updateTime": tuned.changes.updated or made,
    }
    if checkpoint_id in deployed(tuned):
        resource["deployedModels"] = [
            {
                "id": tuned.endpoint_id(checkpoint_id),
                "model": f"{tuned.model}@{VERSION}",
                "modelVersionId": VERSION,
                "displayName": display_name(tuned),
                "createTime": made,
                "checkpointId": checkpoint_id,
            }
        ]
        resource["trafficSplit"] = {tuned.endpoint_id(checkpoint_id): 100}
    return resource


def undeploy(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    deployed_id = wire.read(request, "UndeployModelRequest").get("deployedModelId", "")
    with _changing:
        tuned, checkpoint = _endpoint(place, endpoint)
        if checkpoint not in deployed(tuned) or deployed_id != tuned.endpoint_id(checkpoint):
            raise not_found(
                f"The DeployedModel {deployed_id} is not deployed at {tuned.endpoint(checkpoint)}."
            )
        undeployed = [*tuned.changes.undeployed, checkpoint]
        tuned.changes = replace(tuned.changes, undeployed=undeployed, updated=now())
        tuned.save()
    return operations.done(place, "UndeployModel", "UndeployModelResponse")


def delete_endpoint(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    with _changing:
        tuned, checkpoint = _endpoint(place, endpoint)
        if checkpoint in deployed(tuned):
            message = f"The Endpoint {tuned.endpoint(checkpoint)} has a deployed model. Undeploy it first."
            raise ApiError("FAILED_PRECONDITION", message)
        tuned.changes = replace(tuned.changes, deleted=[*tuned.changes.deleted, checkpoint], updated=now())
        tuned.save()
    return operations.done(place, "Delete")
