"""What a failed call or a failed job says, taken apart: one symptom for each field that it names (pure).

Three shapes come in: an error as it was raised, the same kept in a row (jobs.faults), and the `error` of a
TuningJob, a google.rpc.Status whose code is gRPC's and not HTTP's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.lifecycle.stored_errors import deserialize
from studio.vertex.errors import (
    MESSAGE_LIMIT,
    CredentialsFailed,
    NotSent,
    OutcomeUnknown,
    VertexError,
    Violation,
    from_error,
)

Fault = VertexError | Mapping[str, Any]

SPEC = "supervised_tuning_spec"
FORM_FIELDS = {
    "base_model": "base_model",
    "tuned_model_display_name": "tuned_model_display_name",
    "description": "description",
    "labels": "labels",
    "service_account": "service_account",
    "encryption_spec": "kms_key_name",
    "pre_tuned_model": "pre_tuned_model",
    "pre_tuned_model.checkpoint_id": "pre_tuned_checkpoint",
    f"{SPEC}.training_dataset_uri": "training",
    f"{SPEC}.validation_dataset_uri": "validation",
    f"{SPEC}.export_last_checkpoint_only": "export_last_checkpoint_only",
    f"{SPEC}.hyper_parameters.epoch_count": "epoch_count",
    f"{SPEC}.hyper_parameters.adapter_size": "adapter_size",
    f"{SPEC}.hyper_parameters.learning_rate_multiplier": "learning_rate_multiplier",
}
"""A path of the request -> the wizard's field; what lies below a path belongs to it."""

STATUS_BY_CODE = {
    1: "CANCELLED",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
}
LISTED_VIOLATION = re.compile(r"\d+\.Field: (?P<field>[^;\t]*); Message: (?P<text>[^\t]*)")
"""Vertex lists what it found in the message, too; a failed job has nothing but its message."""


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """`field` is the wizard's, blank where none is named; `text` is all that the service says about it."""

    field: str
    text: str
    status: str = ""
    reason: str = ""


def parse_error_details(fault: Fault) -> list[ErrorDetail]:
    """None where nothing is known about the request: it did not arrive, or the answer got lost."""
    error = to_vertex_error(fault)
    if isinstance(error, NotSent | OutcomeUnknown) and is_call_error(fault):
        return []
    status = "UNAUTHENTICATED" if isinstance(error, CredentialsFailed) else error.status
    status = status or STATUS_BY_CODE.get(error.code or 0, "")
    return [ErrorDetail(field, text, status, error.reason) for field, text in group_by_field(error).items()]


def to_vertex_error(fault: Fault) -> VertexError:
    if isinstance(fault, VertexError):
        return fault
    return deserialize(dict(fault)) if "kind" in fault else from_error(dict(fault))


def is_call_error(fault: Fault) -> bool:
    """An error of our call; a job's own error tells of the job, whatever its code."""
    return isinstance(fault, VertexError) or "kind" in fault


def group_by_field(error: VertexError) -> dict[str, str]:
    """{field: text}; several complaints about one field stand on lines of their own."""
    found: dict[str, str] = {}
    for violation in error.violations or tuple(parse_listed_violations(error.message)):
        field, text = find_form_field(violation.field), violation.description[:MESSAGE_LIMIT]
        found[field] = f"{found[field]}\n{text}" if field in found else text
    return found or {"": error.message}


def parse_listed_violations(message: str) -> Iterator[Violation]:
    for each in LISTED_VIOLATION.finditer(message):
        yield Violation(each["field"].strip(), each["text"].strip())


def find_form_field(path: str) -> str:
    """`tuning_job.supervised_tuning_spec.hyper_parameters.epoch_count` -> `epoch_count`."""
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda letter: f"_{letter[0].lower()}", path)
    steps = re.sub(r"\[.*?\]", "", snake).removeprefix("tuning_job.").split(".")
    shorter = (".".join(steps[:length]) for length in range(len(steps), 0, -1))
    return next((FORM_FIELDS[each] for each in shorter if each in FORM_FIELDS), "")
