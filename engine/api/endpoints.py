"""Endpoints, one for each checkpoint of a tuned model.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints
"""

from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.api import operations
from engine.api.models import ORDERS, check_etag, check_names, checkpoint_time, job_labels
from engine.api.resource_names import Place
from engine.api.tuned_model import TunedModel, changes_lock, list_tuned_models
from engine.protojson import field_masks, message_reader
from engine.protojson.errors import ApiError, invalid_argument, not_found
from engine.protojson.pagination import build_list_response

Json = dict[str, Any]

FIELDS = ("displayName", "description", "labels", "trafficSplit")


def list_endpoints(request: HttpRequest, place: Place) -> HttpResponse:
    there = list_tuned_models(place)
    endpoints = [
        endpoint_resource(tuned, checkpoint)
        for tuned in there
        for checkpoint in reversed(tuned.endpoint_checkpoint_ids)
    ]
    models = {tuned.folder.id: tuned.job["model"] for tuned in there}

    def filter_fields(endpoint: Json) -> Json:
        """Fields by the names of the documented filters, where those differ from the resource's."""
        id = endpoint["name"].rpartition("/")[2]
        return {"endpoint": id, "base_model_name": models[id[:-3]].rpartition("/")[2]}

    return message_reader.json_response(
        build_list_response(request, "endpoints", endpoints, also=filter_fields, orders=ORDERS)
    )


def get_endpoint(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    return message_reader.json_response(endpoint_resource(*_find_endpoint(place, endpoint)))


def _find_endpoint(place: Place, endpoint: str) -> tuple[TunedModel, str]:
    tuned, checkpoint = TunedModel.of_endpoint(place, endpoint)
    if tuned.find_checkpoint(checkpoint) is None:
        raise not_found(f"The Endpoint {place.resource_name('endpoints', endpoint)} does not exist.")
    return tuned, checkpoint


def endpoint_resource(tuned: TunedModel, checkpoint_id: str) -> Json:
    checkpoint = next(found for found in tuned.checkpoints if found.checkpoint_id == checkpoint_id)
    made = checkpoint_time(checkpoint)
    resource: Json = {
        "name": tuned.endpoint_name(checkpoint_id),
        "displayName": tuned.job["request"]["tunedModelDisplayName"],
        "etag": tuned.changes.updated or made,
        "labels": job_labels(tuned),
        "createTime": made,
        "updateTime": tuned.changes.updated or made,
        **tuned.changes.endpoints.get(checkpoint_id, {}),
    }
    if checkpoint_id in tuned.deployed_checkpoint_ids:
        resource["deployedModels"] = [
            {
                "id": tuned.endpoint_id(checkpoint_id),
                "model": tuned.version_name,
                "modelVersionId": tuned.version,
                "displayName": tuned.display_name,
                "createTime": made,
                "checkpointId": checkpoint_id,
            }
        ]
        resource["trafficSplit"] = {tuned.endpoint_id(checkpoint_id): 100}
    return resource


def patch_endpoint(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    """Without updateMask, the fields in the body are the ones to change."""
    body = message_reader.read_message(request, "Endpoint", root="endpoint")
    with changes_lock:
        tuned, checkpoint = _find_endpoint(place, endpoint)
        current = endpoint_resource(tuned, checkpoint)
        check_etag(body, current)
        given = {name: body[name] for name in FIELDS if name in body}
        wanted = field_masks.resolve_update_mask(request.GET.get("updateMask", ""), given, current, FIELDS)
        check_names(wanted, "endpoint")
        _check_split(wanted.pop("trafficSplit", None), current)
        kept = {**tuned.changes.endpoints.get(checkpoint, {}), **wanted}
        tuned.save_changes(endpoints={**tuned.changes.endpoints, checkpoint: kept})
        return message_reader.json_response(endpoint_resource(*_find_endpoint(place, endpoint)))


def _check_split(wanted: Json | None, current: Json) -> None:
    if wanted and wanted != current.get("trafficSplit"):
        text = (
            f"traffic_split must be {current.get('trafficSplit', {})}. Each endpoint serves one checkpoint."
        )
        raise invalid_argument(text, "endpoint.traffic_split")


def undeploy_model(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    deployed_id = message_reader.read_message(request, "UndeployModelRequest").get("deployedModelId", "")
    with changes_lock:
        tuned, checkpoint = _find_endpoint(place, endpoint)
        if checkpoint not in tuned.deployed_checkpoint_ids or deployed_id != tuned.endpoint_id(checkpoint):
            raise not_found(
                f"The DeployedModel {deployed_id} is not deployed at {tuned.endpoint_name(checkpoint)}."
            )
        tuned.save_changes(undeployed=[*tuned.changes.undeployed, checkpoint])
    return operations.complete_operation(place, "UndeployModel", "UndeployModelResponse")


def delete_endpoint(request: HttpRequest, place: Place, endpoint: str) -> HttpResponse:
    with changes_lock:
        tuned, checkpoint = _find_endpoint(place, endpoint)
        if checkpoint in tuned.deployed_checkpoint_ids:
            message = (
                f"The Endpoint {tuned.endpoint_name(checkpoint)} has a deployed model. Undeploy it first."
            )
            raise ApiError("FAILED_PRECONDITION", message)
        tuned.save_changes(deleted=[*tuned.changes.deleted, checkpoint])
    return operations.complete_operation(place, "Delete")
