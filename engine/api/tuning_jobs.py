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
from engine.api.tuned_model import Tuned, changing
from engine.gcs.object_store import Object
from engine.protojson import message_reader
from engine.protojson.errors import ApiError, Violation, found_errors, not_built
from engine.protojson.pagination import listing
from engine.queue.job_folder import FINAL_STATES, JobFolder, now
from engine.services import root, runner, store

Json = dict[str, Any]

# A caller who lost the answer to a create finds the job by this label: a second one with it is refused.
SUBMISSION_LABEL = "studio-submission"

UNIMPLEMENTED = 12

_creating = threading.Lock()


def create(request: HttpRequest, place: Place) -> HttpResponse:
    body = message_reader.read(request, "TuningJob", root="tuning_job")
    with _creating, changing:  # a pre-tuned model must not be deleted while its weights are copied
        refuse_twin(place, body)
        folder = create_job(place, body)
    runner().wake()
    return message_reader.reply(resource(place, folder))


def refuse_twin(place: Place, body: Json) -> None:
    label = body.get("labels", {}).get(SUBMISSION_LABEL)
    for folder in place.jobs() if label else ():
        if folder.job["request"].get("labels", {}).get(SUBMISSION_LABEL) == label:
            name = place.name("tuningJobs", folder.id)
            message = f"A tuning job with the label {SUBMISSION_LABEL}={label} already exists: {name}."
            raise ApiError("ALREADY_EXISTS", message)


def create_job(place: Place, body: Json) -> JobFolder:
    """Check the body, pin its data, and put the job on disk."""
    checked = tuning_job_validation.check(place, body)
    training, validation = datasets(body["supervisedTuningSpec"])
    with ExitStack() as pins:
        train = pins.enter_context(store().pinned(training))
        evaluate = pins.enter_context(store().pinned(validation)) if validation else None
        examples = tuning_job_validation.count_examples(train)
        held_out = tuning_job_validation.count_examples(evaluate) if evaluate else None
        tuning_job_validation.check_examples(checked.model, examples, held_out)
        parent = checked.pre_tuned
        job = {
            **_identity(place),
            **(parent.identity(body.get("tunedModelDisplayName", "")) if parent else {}),
            "request": tuning_job_validation.completed(body, checked, examples),
            "model": checked.model,
            "base": checked.resolved.base.id,
            "trainingGeneration": str(training.generation),
            "validationGeneration": str(validation.generation) if validation else None,
        }
        return JobFolder.create(root(), job, train, evaluate, parent.weights if parent else None)


def _identity(place: Place) -> Json:
    """Ids are nanoseconds: long decimal strings in the order of creation, as Vertex AI's are."""
    return {
        "id": str(time.time_ns()),
        "project": place.project,
        "location": place.location,
        "createTime": now(),
    }


def datasets(spec: Json) -> tuple[Object, Object | None]:
    """The training and the validation object; raises INVALID_ARGUMENT naming those that are not there."""
    training = _object(spec["trainingDatasetUri"])
    validation = _object(spec["validationDatasetUri"]) if spec.get("validationDatasetUri") else None
    missing = []
    if training is None:
        missing.append(_missing("training_dataset_uri", spec["trainingDatasetUri"]))
    if spec.get("validationDatasetUri") and validation is None:
        missing.append(_missing("validation_dataset_uri", spec["validationDatasetUri"]))
    if missing or training is None:
        raise found_errors(missing)
    return training, validation


def _object(uri: str) -> Object | None:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return store().find(bucket, name)


def _missing(field: str, uri: str) -> Violation:
    return Violation(
        f"{tuning_job_validation.SPEC}.{field}", f"The object {uri} does not exist: upload it first."
    )


def list_jobs(request: HttpRequest, place: Place) -> HttpResponse:
    resources = [resource(place, folder) for folder in place.jobs()]
    return message_reader.reply(listing(request, "tuningJobs", resources))


def list_everywhere(request: HttpRequest, version: str) -> HttpResponse:
    """As clients with an API key ask, who name no project: those of all projects and locations."""
    resources = [
        resource(Place(version, folder.job["project"], folder.job["location"]), folder)
        for folder in reversed(JobFolder.all(root()))
    ]
    return message_reader.reply(listing(request, "tuningJobs", resources))


def get(request: HttpRequest, place: Place, job: str) -> HttpResponse:
    return message_reader.reply(resource(place, place.job(job)))


def cancel(request: HttpRequest, place: Place, job: str) -> HttpResponse:
    """Ask for the end; the job says when it has come. A second request changes nothing."""
    message_reader.read(request, "Empty")
    folder = place.job(job)
    state = folder.state["state"]
    if state in FINAL_STATES:
        message = f"The tuning job has already finished: its state is {state}."
        raise ApiError("FAILED_PRECONDITION", message)
    folder.ask_cancel()
    runner().wake()
    return message_reader.reply({})


def rebase(request: HttpRequest, place: Place) -> HttpResponse:
    raise not_built("rebaseTunedModel")


def resource(place: Place, folder: JobFolder) -> Json:
    """The job as a TuningJob of the place's API version."""
    job, state = folder.job, folder.state
    answer: Json = {
        "name": place.name("tuningJobs", folder.id),
        **_asked(job["request"], place.version),
        "state": state["state"],
        "createTime": job["createTime"],
        "updateTime": state["updateTime"],
        **{key: state[key] for key in ("startTime", "endTime", "error") if key in state},
        **dict(_results(place, folder, state)),
    }
    return {**answer, **_progress(folder, state)} if place.version == "v1beta1" else answer


def _asked(request: Json, version: str) -> Json:
    """What was asked for; v1 has no words for some of what v1beta1 takes."""
    if version == "v1beta1":
        return request
    spec: Json = request["supervisedTuningSpec"]
    chosen = _without(spec["hyperParameters"], "batchSize", "learningRate")
    known: Json = {**_without(spec, "tuningMode"), "hyperParameters": chosen}
    return {**request, "supervisedTuningSpec": known}


def _without(fields: Json, *names: str) -> Json:
    return {name: value for name, value in fields.items() if name not in names}


def _results(place: Place, folder: JobFolder, state: Json) -> Iterator[tuple[str, Any]]:
    if "startTime" in state:
        yield "experiment", experiment_name(place, folder)
    tuned_model = Tuned(place, folder).tuned_model()
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
    text = (
        "This engine runs no evaluation of evaluation_config: the loss on validation_dataset_uri is measured."
    )
    error = {"code": UNIMPLEMENTED, "message": text}
    return [{"checkpointId": found.checkpoint_id, "error": error} for found in folder.checkpoints()]


def _progress(folder: JobFolder, state: Json) -> Json:
    """What only v1beta1 tells: the stage of the work, and the epochs and steps that are done."""
    if state["state"] == "JOB_STATE_PENDING":
        return {"tuningJobState": "TUNING_JOB_STATE_WAITING_FOR_CAPACITY"}
    progress, answer = folder.progress, {}
    if state["state"] == "JOB_STATE_RUNNING" and progress.get("stage"):
        answer["tuningJobState"] = f"TUNING_JOB_STATE_{progress['stage']}"
    counts = {"completedEpochCount": progress.get("epoch"), "completedStepCount": progress.get("step")}
    done = {name: str(count) for name, count in counts.items() if count}
    return {**answer, "tuningJobMetadata": done} if done else answer
