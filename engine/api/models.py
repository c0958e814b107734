"""The Model Registry, as far as tuning fills it: tuned models and their versions.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models
"""

from itertools import groupby
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.api import operations
from engine.api.resource_names import Place
from engine.api.tuned_model import DEFAULT, TunedModel, changes_lock, list_tuned_models, pick_default_version
from engine.protojson import field_masks, labels, message_reader
from engine.protojson.errors import ApiError, combine_violations, invalid_argument
from engine.protojson.pagination import build_list_response
from engine.queue.job_folder import Checkpoint

Json = dict[str, Any]

MODEL_FIELDS = ("displayName", "description", "labels")
VERSION_FIELDS = ("versionDescription", "labels", "defaultCheckpointId")
ORDERS = ("display_name", "create_time", "update_time")
LONGEST_NAME = 128  # as the reference page of Model says


def list_models(request: HttpRequest, place: Place) -> HttpResponse:
    """Each model by its default version."""
    there = [tuned for tuned in list_tuned_models(place) if tuned.has_model]
    there.sort(key=attrgetter("model_id"), reverse=True)
    models = [pick_default_version(list(of_one)) for _, of_one in groupby(there, key=attrgetter("model_id"))]
    resources = [model_resource(tuned, is_default=True) for tuned in models]
    return message_reader.json_response(
        build_list_response(request, "models", resources, also=_filter_fields, orders=ORDERS)
    )


def _filter_fields(model: Json) -> Json:
    """Fields by the names of the documented filters, where those differ from the resource's."""
    uri: str = model["baseModelSource"]["genieSource"]["baseModelUri"]
    return {"model": model["name"].rpartition("/")[2], "base_model_name": uri.rpartition("/")[2]}


def get_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    return message_reader.json_response(describe_model(TunedModel.of_model(place, model)))


def list_versions(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    of_one = TunedModel.of_model(place, model).versions()
    default = pick_default_version(of_one)
    resources = [model_resource(tuned, is_default=tuned is default) for tuned in of_one]
    return message_reader.json_response(
        build_list_response(
            request, "models", resources, id=lambda found: str(found["versionId"]), orders=ORDERS
        )
    )


def list_checkpoints(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    checkpoints = _checkpoint_resources(TunedModel.of_model(place, model))
    return message_reader.json_response(
        build_list_response(request, "checkpoints", checkpoints, id=lambda found: str(found["checkpointId"]))
    )


def describe_model(tuned: TunedModel) -> Json:
    return model_resource(tuned, pick_default_version(tuned.versions()).version == tuned.version)


def model_resource(tuned: TunedModel, is_default: bool) -> Json:
    made = checkpoint_time(tuned.checkpoints[0])
    first = tuned.first_version
    updated = tuned.changes.updated or checkpoint_time(tuned.checkpoints[-1])
    descriptions = {
        "description": first.changes.description,
        "versionDescription": tuned.changes.version_description,
    }
    return {
        "name": tuned.model_name,
        "versionId": tuned.version,
        **({"versionAliases": [DEFAULT]} if is_default else {}),
        "displayName": tuned.display_name,
        **{name: text for name, text in descriptions.items() if text},
        "createTime": checkpoint_time(first.checkpoints[0]) if first.checkpoints else made,
        "updateTime": max(updated, first.changes.updated),
        "versionCreateTime": made,
        "versionUpdateTime": updated,
        "etag": max(updated, first.changes.updated),
        "labels": {**model_labels(first), **version_labels(tuned)},
        "modelSourceInfo": {"sourceType": "GENIE"},
        "baseModelSource": {
            "genieSource": {"baseModelUri": f"publishers/google/models/{tuned.job['model']}"}
        },
        "deployedModels": [
            {
                "endpoint": tuned.endpoint_name(checkpoint),
                "deployedModelId": tuned.endpoint_id(checkpoint),
                "checkpointId": checkpoint,
            }
            for checkpoint in tuned.deployed_checkpoint_ids
        ],
        "checkpoints": _checkpoint_resources(tuned),
        "defaultCheckpointId": tuned.default_checkpoint,
    }


def _checkpoint_resources(tuned: TunedModel) -> list[Json]:
    return [
        {
            "checkpointId": checkpoint.checkpoint_id,
            "epoch": str(checkpoint.epoch),
            "step": str(checkpoint.step),
        }
        for checkpoint in tuned.checkpoints
    ]


def checkpoint_time(checkpoint: Checkpoint) -> str:
    return message_reader.format_timestamp((checkpoint.folder / "checkpoint.json").stat().st_mtime)


def model_labels(first: TunedModel) -> dict[str, str]:
    """The model's own, which are those of the job that made it until somebody changes them."""
    return job_labels(first) if first.changes.labels is None else first.changes.labels


def version_labels(tuned: TunedModel) -> dict[str, str]:
    if tuned.changes.version_labels is not None:
        return tuned.changes.version_labels
    return {} if tuned.first_version is tuned else job_labels(tuned)


def job_labels(tuned: TunedModel) -> dict[str, str]:
    """The job's, and two of the service's: clients that look for tuned models filter by tune-type."""
    base_model = tuned.job["model"].rpartition("/")[2].replace(".", "-")
    own: dict[str, str] = tuned.job["request"].get("labels", {})
    return {"tune-type": "sft", "google-vertex-llm-tuning-base-model-id": base_model, **own}


def patch_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    """`models/ID@VERSION` changes the version's own fields, `models/ID` the model's.

    And there, as google-genai asks for it, the default checkpoint of the default version.
    """
    body = message_reader.read_message(request, "Model", root="model")
    of_version = model.partition("@")[2] not in ("", "-")
    with changes_lock:
        tuned = TunedModel.of_model(place, model)
        check_etag(body, describe_model(tuned))
        own = version_labels(tuned) if of_version else model_labels(tuned.first_version)
        changeable = (*MODEL_FIELDS, "versionDescription", "defaultCheckpointId")
        given = {name: body[name] for name in changeable if name in body}
        wanted = field_masks.resolve_update_mask(
            request.GET.get("updateMask", ""), given, {"labels": own}, changeable
        )
        _check_level(tuned, wanted, of_version)
        check_names(wanted, "model")
        (_change_version if of_version else _change_model)(tuned, wanted)
        return message_reader.json_response(describe_model(TunedModel.of_model(place, model)))


def _check_level(tuned: TunedModel, wanted: Json, of_version: bool) -> None:
    if of_version and (wrong := set(wanted) - set(VERSION_FIELDS)):
        text = f"{_join_names(wrong)} belongs to the model. Update {tuned.model_name} instead."
        raise ApiError("FAILED_PRECONDITION", text)
    if not of_version and "versionDescription" in wanted:
        text = f"version_description belongs to a version. Update {tuned.version_name} instead."
        raise ApiError("FAILED_PRECONDITION", text)


def _join_names(names: set[str]) -> str:
    return ", ".join(sorted(map(message_reader.to_snake_case, names)))


def check_etag(body: Json, current: Json) -> None:
    if body.get("etag") not in (None, "", current["etag"]):
        raise ApiError(
            "ABORTED", f"The etag of {current['name']} is out of date. Read the resource again, then retry."
        )


def check_names(wanted: Json, root: str) -> None:
    if "displayName" in wanted and not wanted["displayName"]:
        raise invalid_argument("display_name is required.", f"{root}.display_name")
    if len(wanted.get("displayName") or "") > LONGEST_NAME:
        raise invalid_argument(
            f"display_name can have at most {LONGEST_NAME} characters.", f"{root}.display_name"
        )
    if wrong := list(labels.find_violations(wanted.get("labels") or {}, f"{root}.labels")):
        raise combine_violations(wrong)


def _change_model(tuned: TunedModel, wanted: Json) -> None:
    if "defaultCheckpointId" in wanted:
        _change_version(tuned, {"defaultCheckpointId": wanted["defaultCheckpointId"]})
    kept = {"displayName": "display_name", "description": "description", "labels": "labels"}
    tuned.first_version.save_changes(**{kept[name]: value for name, value in wanted.items() if name in kept})


def _change_version(tuned: TunedModel, wanted: Json) -> None:
    checkpoint = wanted.get("defaultCheckpointId")
    if checkpoint and tuned.find_checkpoint(checkpoint) is None:
        raise invalid_argument(f"The model has no checkpoint {checkpoint}.", "model.default_checkpoint_id")
    kept = {
        "versionDescription": "version_description",
        "labels": "version_labels",
        "defaultCheckpointId": "default_checkpoint",
    }
    tuned.save_changes(**{kept[name]: value for name, value in wanted.items()})


def delete_model(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    """Every version. The adapters' weights go as well; the tuning jobs stay listed, as they do at Google."""
    if "@" in model:
        raise invalid_argument(
            f"To delete a version, call {place.resource_name('models', model)}:deleteVersion.", "name"
        )
    with changes_lock:
        found = TunedModel.of_model(place, model).versions()
        for tuned in found:
            _check_undeployed(tuned)
        for tuned in found:
            _remove_version(tuned)
    return operations.complete_operation(place, "Delete")


def delete_version(request: HttpRequest, place: Place, model: str) -> HttpResponse:
    if "@" not in model:
        raise invalid_argument("Specify the version to delete: models/MODEL@VERSION:deleteVersion.", "name")
    with changes_lock:
        tuned = TunedModel.of_model(place, model)
        others = [other for other in tuned.versions() if other.version != tuned.version]
        if not others:
            text = f"{tuned.version_name} is the only version of its Model. Delete the Model instead."
            raise ApiError("FAILED_PRECONDITION", text)
        _check_undeployed(tuned)
        if pick_default_version(tuned.versions()).version == tuned.version:
            tuned.first_version.save_changes(default_version=others[0].version)
        _remove_version(tuned)
    return operations.complete_operation(place, "Delete")


def _check_undeployed(tuned: TunedModel) -> None:
    if tuned.deployed_checkpoint_ids:
        names = ", ".join(map(tuned.endpoint_name, tuned.deployed_checkpoint_ids))
        text = f"The Model {tuned.version_name} is deployed or being deployed at: {names}. Undeploy it first."
        raise ApiError("FAILED_PRECONDITION", text)


def _remove_version(tuned: TunedModel) -> None:
    tuned.save_changes(model_deleted=True)
    for checkpoint in tuned.checkpoints:
        (checkpoint.folder / "adapter_model.safetensors").unlink(missing_ok=True)
