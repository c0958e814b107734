"""The Details tab of a job, with all fields of the last response."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from jobs.troubleshooting.error_details import STATUS_BY_CODE
from jobs.tuning_job_resource import get_object, parse_int, parse_timestamp
from studio.formats import format_count, join_list

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.models import TuningJob

PHASE_PREFIX = "TUNING_JOB_STATE_"


@dataclass(frozen=True, slots=True)
class Field:
    """One line. `kind` is text, id (monospace, with a copy button), time, duration, setting (requested ->
    resolved), asked (the same for a text) or missing (the value is the reason). `hint` explains the field."""

    label: str
    value: Any
    kind: str = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TextSetting:
    """A text setting: the requested value (blank: the service's default) and the resolved one."""

    requested: str
    resolved: str

    def __bool__(self) -> bool:
        return bool(self.requested or self.resolved)


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    fields: list[Field]
    wide: bool = False


def sections(job: TuningJob) -> list[Section]:
    """Return the sections of the tab. Fields without a value and empty sections are left out."""
    found = [
        Section(_("Error"), list(error_fields(job)), wide=True),
        Section(_("Tuned model"), list(model_fields(job))),
        Section(_("Job"), list(job_fields(job))),
        Section(_("Settings"), list(setting_fields(job))),
        Section(_("Data"), list(data_fields(job))),
    ]
    valued = (replace(each, fields=[field for field in each.fields if field.value]) for each in found)
    return [section for section in valued if section.fields]


def error_fields(job: TuningJob) -> Iterator[Field]:
    """Yield the fields of the service's error, verbatim."""
    error = get_object(job.remote, "error")
    code = parse_int(error.get("code"))
    yield Field(_("Code"), format_error_code(code), "id")
    yield Field(_("Message"), error.get("message"), "id")
    details = error.get("details")
    yield Field(_("Details"), json.dumps(details, ensure_ascii=False) if details else "", "id")


def format_error_code(code: int | None) -> str:
    """Return a google.rpc.Status code with its name, such as "13 INTERNAL"."""
    return "" if code is None else f"{code} {STATUS_BY_CODE.get(code, '')}".strip()


def model_fields(job: TuningJob) -> Iterator[Field]:
    name = get_text_setting(job, str(job.request.get("tunedModelDisplayName") or ""), "tunedModelDisplayName")
    yield Field(_("Tuned model name"), name or str(job), "asked" if name else "text")
    endpoint, why = job.endpoint, explain_missing_endpoint(job)
    yield Field(
        _("Endpoint"),
        endpoint or why,
        "id" if endpoint else "missing",
        _("Use this endpoint for inference.") if endpoint else "",
    )
    yield Field(
        _("Model name"),
        job.tuned_model,
        "id",
        _("Use this to deploy or continue tuning; it can’t be called directly."),
    )
    yield Field(_("Version"), job.tuned_model.partition("@")[2])
    yield Field(_("Description"), job.remote.get("description") or job.description)
    labels = get_object(job.remote or job.request, "labels")
    yield Field(_("Labels"), join_list(f"{key}={value}" for key, value in labels.items()), "id")


def explain_missing_endpoint(job: TuningJob) -> str:
    """Return why a finished job with a model has no endpoint, or "" if one may still be created."""
    if job.endpoint or not (job.tuned_model and job.is_final):
        return ""
    return _("None (the default checkpoint isn’t deployed, or its endpoint couldn’t be created)")


def job_fields(job: TuningJob) -> Iterator[Field]:
    yield Field(_("Job name"), job.name, "id")
    yield Field(_("Job ID"), (job.name or "").rpartition("/")[2], "id")
    yield Field(_("State"), job.state, "id")
    yield Field(_("Phase"), str(job.remote.get("tuningJobState") or "").removeprefix(PHASE_PREFIX), "id")
    done = get_object(job.remote, "tuningJobMetadata")
    yield Field(_("Completed epochs"), format_number(done.get("completedEpochCount")))
    yield Field(_("Completed steps"), format_number(done.get("completedStepCount")))
    yield Field(_("Region"), job.location)
    yield Field(_("Created"), get_timestamp(job, "createTime"), "time")
    yield Field(_("Started"), job.started_at, "time")
    yield Field(_("Ended"), job.ended_at, "time")
    yield Field(_("Duration"), job.elapsed, "duration")
    yield Field(_("Updated"), get_timestamp(job, "updateTime"), "time")
    yield Field(_("Experiment"), job.remote.get("experiment"), "id")
    yield Field(_("Pipeline job"), job.remote.get("pipelineJob"), "id")
    yield Field(_("Service account"), get_text_setting(job, job.service_account, "serviceAccount"), "asked")
    key = get_text_setting(job, job.kms_key_name, "encryptionSpec", "kmsKeyName")
    yield Field(_("Encryption key"), key, "asked")


def setting_fields(job: TuningJob) -> Iterator[Field]:
    yield Field(_("Tuning method"), _("Supervised tuning"))
    base = get_base_model_setting(job)
    yield Field(
        _("Base model"), base if base.requested else base.resolved, "asked" if base.requested else "id"
    )
    yield Field(_("Custom base model"), job.remote.get("customBaseModel"), "id")
    model = get_text_setting(job, job.pre_tuned_model, "preTunedModel", "tunedModelName")
    yield Field(_("Pre-tuned model"), model, "asked")
    checkpoint = get_text_setting(job, job.pre_tuned_checkpoint, "preTunedModel", "checkpointId")
    yield Field(_("Starting checkpoint"), checkpoint if model else None, "asked")
    yield Field(_("Number of epochs"), job.epochs, "setting")
    yield Field(_("Adapter size"), job.adapter, "setting")
    yield Field(_("Learning rate multiplier"), job.learning_rate, "setting")
    yield Field(_("Export last checkpoint only"), _("Yes") if is_last_checkpoint_only(job) else _("No"))


def get_base_model_setting(job: TuningJob) -> TextSetting:
    """Return the base model. A job on a pre-tuned model takes it from that model."""
    resolved = job.remote.get("baseModel") or get_object(job.remote, "preTunedModel").get("baseModel")
    return TextSetting(job.base_model, str(resolved or ""))


def is_last_checkpoint_only(job: TuningJob) -> bool:
    flag = get_object(job.remote, "supervisedTuningSpec").get("exportLastCheckpointOnly")
    return flag if isinstance(flag, bool) else job.export_last_checkpoint_only


def get_text_setting(job: TuningJob, requested: str, *path: str) -> TextSetting:
    """Return the requested text with the value at `path` of the last response."""
    return TextSetting(requested, str(get_object(job.remote, *path[:-1]).get(path[-1]) or ""))


def data_fields(job: TuningJob) -> Iterator[Field]:
    spec = get_object(job.remote or job.request, "supervisedTuningSpec")
    yield Field(_("Training dataset"), spec.get("trainingDatasetUri"), "id")
    yield Field(_("Validation dataset"), spec.get("validationDatasetUri"), "id")
    yield Field(_("Output folder"), job.remote.get("outputUri"), "id")
    yield Field(_("Metrics file"), job.remote.get("gcsMetricsUri"), "id")
    yield Field(_("Examples"), format_number(job.statistics.get("tuningDatasetExampleCount")))
    yield Field(_("Steps"), format_number(job.statistics.get("tuningStepCount")))
    yield Field(_("Billable tokens"), format_number(job.statistics.get("totalBillableTokenCount")))


def get_timestamp(job: TuningJob, key: str) -> datetime | None:
    return parse_timestamp(job.remote.get(key))


def format_number(value: Any) -> str:
    count = parse_int(value)
    return "" if count is None else format_count(count)


def format_remote(job: TuningJob) -> str:
    """Return the last response as indented JSON, or "" before the first one."""
    return json.dumps(job.remote, indent=2, ensure_ascii=False) if job.remote else ""
