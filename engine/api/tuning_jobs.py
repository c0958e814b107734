"""tuningJobs: create, list, get, cancel.

https://cloud.google.com/vertex-ai/generative-ai/docs/models/tune-gemini-use-supervised-tuning
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.api import tuning_job_validation
from engine.api.resource_names import Place
from engine.api.tensorboard import experiment_name
from engine.api.tuned_model import TunedModel, changes_lock
from engine.gcs.object_store import StoredObject
from engine.protojson import message_reader
from engine.protojson.errors import ApiError, Violation, combine_violations, disk_full, not_implemented
from engine.protojson.pagination import build_list_response
from engine.queue.disk_space import has_room
from engine.queue.job_folder import FINAL_STATES, JobFolder, build_first_state, utc_now
from engine.services import root, runner, store

Json = dict[str, Any]

# A caller who lost the answer to a create call finds the job by this label; a second job with it is refused.
SUBMISSION_LABEL = "studio-submission"

UNIMPLEMENTED = 12  # google.rpc.Code

_create_lock = threading.Lock()


def create_tuning_job(request: HttpRequest, place: Place) -> HttpResponse:
    body = message_reader.read_message(request, "TuningJob", root="tuning_job")
    if not has_room(root()):
        raise disk_full()
    with _create_lock, changes_lock:  # a pre-tuned model must not be deleted while its weights are copied
        refuse_duplicate(place, body)
        folder = create_job_folder(place, body)
    runner().wake()
    resource = tuning_job_resource(place, folder, build_first_state(folder.job))
    return message_reader.json_response(resource)


def refuse_duplicate(place: Place, body: Json) -> None:
    label = body.get("labels", {}).get(SUBMISSION_LABEL)
    for folder in place.jobs() if label else ():
        if folder.job["request"].get("labels", {}).get(SUBMISSION_LABEL) == label:
            name = place.resource_name("tuningJobs", folder.id)
            message = f"A tuning job with the label {SUBMISSION_LABEL}={label} already exists: {name}."
            raise ApiError("ALREADY_EXISTS", message)


def create_job_folder(place: Place, body: Json) -> JobFolder:
    """Check the body, pin its data, and put the job on disk."""
    checked = tuning_job_validation.validate_tuning_job(place, body)
    training, validation = find_datasets(body["supervisedTuningSpec"])
    with ExitStack() as pins:
        train = pins.enter_context(store().pin_generation(training))
        evaluate = pins.enter_context(store().pin_generation(validation)) if validation else None
        examples = tuning_job_validation.count_examples(train)
        held_out = tuning_job_validation.count_examples(evaluate) if evaluate else None
        tuning_job_validation.check_examples(checked.model, examples, held_out)
        parent = checked.pre_tuned
        job = {
            **_new_job_fields(place),
            **(parent.build_version_fields(body.get("tunedModelDisplayName", "")) if parent else {}),
            "request": tuning_job_validation.fill_defaults(body, checked, examples),
            "model": checked.model,
            "base": checked.resolved.base.id,
            "trainingGeneration": str(training.generation),
            "validationGeneration": str(validation.generation) if validation else None,
        }
        return JobFolder.create(root(), job, train, evaluate, parent.weights if parent else None)


def _new_job_fields(place: Place) -> Json:
    """Ids are nanoseconds: long decimal strings in the order of creation, as Vertex AI's are."""
    return {
        "id": str(time.time_ns()),
        "project": place.project,
        "location": place.location,
        "createTime": utc_now(),
    }


def find_datasets(spec: Json) -> tuple[StoredObject, StoredObject | None]:
    """The training and the validation object; raises INVALID_ARGUMENT naming those that are not there."""
    training = _find_object(spec["trainingDatasetUri"])
    validation = _find_object(spec["validationDatasetUri"]) if spec.get("validationDatasetUri") else None
    missing = []
    if training is None:
        missing.append(_missing_object("training_dataset_uri", spec["trainingDatasetUri"]))
    if spec.get("validationDatasetUri") and validation is None:
        missing.append(_missing_object("validation_dataset_uri", spec["validationDatasetUri"]))
    if missing or training is None:
        raise combine_violations(missing)
    return training, validation


def _find_object(uri: str) -> StoredObject | None:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return store().find(bucket, name)


def _missing_object(field: str, uri: str) -> Violation:
    return Violation(
        f"{tuning_job_validation.SPEC}.{field}", f"The object {uri} does not exist. Upload it first."
    )


def list_jobs(request: HttpRequest, place: Place) -> HttpResponse:
    resources = [tuning_job_resource(place, folder) for folder in place.jobs()]
    return message_reader.json_response(build_list_response(request, "tuningJobs", resources))


def list_all_jobs(request: HttpRequest, version: str) -> HttpResponse:
    """For clients with an API key, which name no project: the jobs of all projects and locations."""
    resources = [
        tuning_job_resource(Place(version, folder.job["project"], folder.job["location"]), folder)
        for folder in reversed(JobFolder.all(root()))
    ]
    return message_reader.json_response(build_list_response(request, "tuningJobs", resources))


def get_tuning_job(request: HttpRequest, place: Place, job: str) -> HttpResponse:
    return message_reader.json_response(tuning_job_resource(place, place.job(job)))


def cancel_tuning_job(request: HttpRequest, place: Place, job: str) -> HttpResponse:
    """Request cancellation; the job's state says when it is done. A second request changes nothing."""
    message_reader.read_message(request, "Empty")
    folder = place.job(job)
    state = folder.state["state"]
    if state in FINAL_STATES:
        message = f"The tuning job has already finished with state {state}."
        raise ApiError("FAILED_PRECONDITION", message)
    folder.request_cancel()
    runner().wake()
    return message_reader.json_response({})


def rebase_tuned_model(request: HttpRequest, place: Place) -> HttpResponse:
    raise not_implemented("rebaseTunedModel")


def tuning_job_resource(place: Place, folder: JobFolder, state: Json | None = None) -> Json:
    """The job as a TuningJob of the place's API version; in its present state if none is given."""
    job, state = folder.job, state or folder.state
    answer: Json = {
        "name": place.resource_name("tuningJobs", folder.id),
        **_request_fields(job["request"], place.version),
        "state": state["state"],
        "createTime": job["createTime"],
        "updateTime": state["updateTime"],
        **{key: state[key] for key in ("startTime", "endTime", "error") if key in state},
        **dict(_result_fields(place, folder, state)),
    }
    return {**answer, **_progress_fields(folder, state)} if place.version == "v1beta1" else answer


def _request_fields(request: Json, version: str) -> Json:
    """The request's fields; v1 has no fields for some that v1beta1 takes."""
    if version == "v1beta1":
        return request
    spec: Json = request["supervisedTuningSpec"]
    chosen = _omit_fields(spec["hyperParameters"], "batchSize", "learningRate")
    known: Json = {**_omit_fields(spec, "tuningMode"), "hyperParameters": chosen}
    return {**request, "supervisedTuningSpec": known}


def _omit_fields(fields: Json, *names: str) -> Json:
    return {name: value for name, value in fields.items() if name not in names}


def _result_fields(place: Place, folder: JobFolder, state: Json) -> Iterator[tuple[str, Any]]:
    if "startTime" in state:
        yield "experiment", experiment_name(place, folder)
    tuned_model = TunedModel(place, folder).to_resource()
    if tuned_model:
        yield "tunedModel", tuned_model
    stats = folder.stats
    if stats:
        yield "tuningDataStats", {"supervisedTuningDataStats": stats}
    runs = (
        _evaluation_runs(folder)
        if "evaluationConfig" in folder.job["request"]["supervisedTuningSpec"]
        else []
    )
    if runs:
        yield "evaluateDatasetRuns", runs


def _evaluation_runs(folder: JobFolder) -> list[Json]:
    """An evaluation that was asked for is kept with the job, and each checkpoint says that it was not run."""
    text = "This engine does not support evaluation_config. It measures the loss on validation_dataset_uri."
    error = {"code": UNIMPLEMENTED, "message": text}
    return [{"checkpointId": found.checkpoint_id, "error": error} for found in folder.checkpoints()]


def _progress_fields(folder: JobFolder, state: Json) -> Json:
    """Fields of v1beta1 only: the stage, and the epochs and steps that are done."""
    if state["state"] == "JOB_STATE_PENDING":
        return {"tuningJobState": "TUNING_JOB_STATE_WAITING_FOR_CAPACITY"}
    progress, answer = folder.progress, {}
    if state["state"] == "JOB_STATE_RUNNING" and progress.get("stage"):
        answer["tuningJobState"] = f"TUNING_JOB_STATE_{progress['stage']}"
    counts = {"completedEpochCount": progress.get("epoch"), "completedStepCount": progress.get("step")}
    done = {name: str(count) for name, count in counts.items() if count}
    return {**answer, "tuningJobMetadata": done} if done else answer
