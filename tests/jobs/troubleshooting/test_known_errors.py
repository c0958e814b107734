"""Known failures: cause, field, fix and the button's changes. Unknown errors get no explanation."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from jobs.lifecycle.stored_errors import serialize
from jobs.models import Submission
from jobs.troubleshooting.error_details import find_form_field
from jobs.troubleshooting.known_errors import find_fix, find_fixes
from jobs.troubleshooting.settings_fixes import find_nearest_model
from studio.vertex import errors
from studio.vertex.errors import VertexError, Violation
from studio.vertex.job_states import FAILED
from tests.jobs.troubleshooting.failures import (
    ADAPTER,
    KEY,
    ROWS,
    SPEC,
    Row,
    make_job,
    make_job_error,
    make_refusal,
)

CASES = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())


@CASES
def test_a_known_failure_has_its_cause_and_fix(row: Row) -> None:
    job = make_job(**row.job)
    found = find_fix(row.fault, job)
    assert found is not None
    assert (found.cause, found.action) == (row.cause, row.action)
    assert (found.field, dict(found.changes), found.button) == (row.field, row.changes, row.button)
    assert found.link == row.link and bool(found.link_words) == bool(row.link)
    for name in found.changes:
        assert hasattr(job, name)


@CASES
def test_every_sentence_of_a_fix_is_translated(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """gettext is patched to mark its results, so that untranslated text is found."""
    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"«{text}»", raising=False)  # type: ignore[attr-defined]
    found = find_fix(row.fault, make_job(**row.job))
    assert found is not None
    said = [found.cause, found.action, found.button, found.link_words, *found.notes.values()]
    assert [text for text in said if text and not text.startswith("«")] == []


@CASES
def test_every_changed_field_has_a_note(row: Row) -> None:
    found = find_fix(row.fault, make_job(**row.job))
    assert found is not None
    silent = {"pre_tuned_model", "pre_tuned_checkpoint"}  # told at the base model that takes their place
    assert set(found.changes) - set(found.notes) <= silent
    assert not found.changes or found.field in found.notes


def test_the_note_names_old_value_new_value_and_reason() -> None:
    found = find_fix(make_refusal(ADAPTER), make_job(adapter_size=16))
    assert found is not None
    assert found.notes == {"adapter_size": "Changed from 16 to 8. gemini-2.5-pro supports 1, 2, 4, 8."}


UNKNOWN = {
    "a new message": make_refusal("The moon is in the wrong place."),
    "a field of its own": make_refusal("evaluation_config is wrong.", f"{SPEC}.evaluation_config"),
    "a field, and nothing known about it": make_refusal("No.", f"{SPEC}.export_last_checkpoint_only"),
    "a job's end": make_job_error(3, "Something new."),
    "no code": {"message": "?"},
    "an answer that was lost": serialize(errors.OutcomeUnknown("Internal error encountered.", code=500)),
    "nobody there": serialize(errors.NotSent("The server could not be reached.")),
    "an error of another shape": {"code": "13", "message": None, "details": [1, {}, None]},
    "details of another shape": {"code": 3, "message": "?", "details": 5, "errors": {"a": 1}},
    "fields of another shape": {"details": [{"@type": "x/google.rpc.BadRequest", "fieldViolations": 7}]},
    "empty": {},
}


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN.keys())
@pytest.mark.parametrize("backend", ["google", "engine"])
def test_an_unknown_failure_has_no_fix(fault: Any, backend: str) -> None:
    assert find_fix(fault, make_job(backend)) is None


@pytest.mark.parametrize(
    "kind", [errors.PermissionDenied, errors.Unauthenticated, errors.TooManyRequests], ids=str
)
def test_the_engine_gets_no_fix_about_google_roles_or_quotas(kind: type[VertexError]) -> None:
    assert find_fix(kind("no", code=403, status="PERMISSION_DENIED"), make_job("engine")) is None


def test_a_refusal_of_several_fields_has_a_fix_for_each() -> None:
    job = make_job(adapter_size=16, kms_key_name=KEY.format("us-central1"), labels={"Team": "x", "B": "y"})
    paths = {
        "tuning_job.labels": "Invalid label 'Team': 'x'.",
        "tuning_job.encryption_spec": "CMEK is not supported.",
        f"{SPEC}.hyper_parameters.adapter_size": ADAPTER,
    }
    violations = [Violation(path, text) for path, text in paths.items()]
    violations.append(Violation("tuning_job.labels", "Invalid label 'B': 'y'."))
    fault = errors.BadRequest("List of found errors", code=400, violations=tuple(violations))
    found = find_fixes(fault, job)
    assert [each.field for each in found] == ["labels", "kms_key_name", "adapter_size"]
    assert found[0].changes == {"labels": {}}


def test_the_submission_label_is_never_removed() -> None:
    job = make_job(labels={"studio-submission": "x"})
    found = find_fix(make_refusal("Invalid label 'studio-submission': 'x'.", "tuning_job.labels"), job)
    assert found is not None and not found.changes


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("tuning_job.base_model", "base_model"),
        ("base_model", "base_model"),
        ("tuningJob.baseModel", "base_model"),
        (f"{SPEC}.hyper_parameters.adapter_size", "adapter_size"),
        ("tuningJob.supervisedTuningSpec.hyperParameters.learningRateMultiplier", "learning_rate_multiplier"),
        ("tuning_job.labels[Team]", "labels"),
        ("tuning_job.labels.team", "labels"),
        ("tuning_job.encryption_spec.kms_key_name", "kms_key_name"),
        ("tuning_job.pre_tuned_model.checkpoint_id", "pre_tuned_checkpoint"),
        ("tuning_job.pre_tuned_model.tuned_model_name", "pre_tuned_model"),
        (SPEC, ""),
        ("", ""),
    ],
)
def test_a_field_path_maps_to_a_form_field(path: str, field: str) -> None:
    assert find_form_field(path) == field


@pytest.mark.parametrize(
    ("asked", "backend", "new"),
    [
        ("gemini-1.5-flash-002", "google", "gemini-2.5-flash"),
        ("gemini-2.0-flash-lite-001", "google", "gemini-2.5-flash-lite"),
        ("gemini-1.0-pro-002", "google", "gemini-2.5-pro"),
        ("gemini-4.0-flash", "google", "gemini-3.5-flash"),
        ("llama", "google", None),
        ("llama", "engine", "studio-tiny"),
    ],
)
def test_the_nearest_model_is_of_the_same_kind(asked: str, backend: str, new: str | None) -> None:
    found = find_nearest_model(asked, backend)
    assert (found.id if found else None) == new


def test_a_failed_job_offers_to_tune_again() -> None:
    """The rows above are rejected jobs; a job that failed while running gets the same button."""
    job = make_job(submission=Submission.CREATED, state=FAILED)
    found = find_fix(make_job_error(13, "Internal error encountered."), job)
    assert found is not None and found.button == "Tune again"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [row.fault["message"] for row in ROWS.values()] + ["key", "region", "\t1.Field: ; Message: "]
)


@given(
    fault=st.dictionaries(st.sampled_from(["code", "message", "status", "details", "errors"]), JSON)
    | st.fixed_dictionaries({"code": st.sampled_from([1, 3, 7, 8, 13, 429]), "message": WORDS})
    | st.lists(WORDS, max_size=4).map(lambda parts: {"code": 3, "message": " ".join(parts)}),
    job=st.sampled_from([row.job for row in ROWS.values()]),
)
def test_odd_errors_never_raise(fault: Any, job: dict[str, Any]) -> None:
    for found in find_fixes(fault, make_job(**job)):
        assert found.cause and found.action


@pytest.mark.parametrize(
    "words", ["example exceed ", "permission gs://x ", "billing ", "validation dataset at most "]
)
def test_a_long_message_is_matched_fast(words: str) -> None:
    started = time.process_time()
    find_fix(make_job_error(3, words * 5000), make_job())
    assert time.process_time() - started < 0.5
