"""The judge of the answers: what it lets through, and what it must not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.discovery import Document, find_error_faults, iter_answers
from tests.conformance.fields import FIELDS, find_missing
from tests.conformance.recorder import Exchange

DOCUMENT = Document(
    {
        "servicePath": "",
        "schemas": {
            "Job": {
                "id": "Job",
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "count": {"type": "string", "format": "int64"},
                    "size": {"type": "integer", "format": "int32"},
                    "rate": {"type": "number", "format": "double"},
                    "time": {"type": "string", "format": "google-datetime"},
                    "hash": {"type": "string", "format": "byte"},
                    "state": {"type": "string", "enum": ["A", "B"]},
                    "done": {"type": "boolean"},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "children": {"type": "array", "items": {"$ref": "Job"}},
                    "data": {"type": "any"},
                },
            }
        },
        "resources": {
            "jobs": {
                "methods": {
                    "get": {
                        "id": "aiplatform.projects.jobs.get",
                        "httpMethod": "GET",
                        "flatPath": "v1/projects/{projectsId}/jobs/{jobsId}",
                        "path": "v1/{+name}",
                        "response": {"$ref": "Job"},
                    },
                    "cancel": {
                        "id": "aiplatform.projects.jobs.cancel",
                        "httpMethod": "POST",
                        "flatPath": "v1/projects/{projectsId}/jobs/{jobsId}:cancel",
                        "path": "v1/{+name}:cancel",
                        "response": {"$ref": "Job"},
                    },
                }
            }
        },
    }
)
GOOD: dict[str, Any] = {
    "name": "a",
    "count": "9223372036854775807",
    "size": 7,
    "rate": 0.5,
    "time": "2026-11-24T17:00:00.123456Z",
    "hash": "AAEC",
    "state": "A",
    "done": True,
    "labels": {"any key": "text"},
    "children": [{"name": "b"}],
    "data": [{"any": "thing"}],
}


def test_value_matching_the_schema_passes() -> None:
    assert DOCUMENT.find_faults("Job", GOOD) == []
    assert DOCUMENT.find_faults("Job", {"rate": "NaN"}) == DOCUMENT.find_faults("Job", {"rate": 3}) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"unknown": 1}, ".unknown"),
        ({"name": 1}, ".name"),
        ({"name": None}, ".name"),
        ({"count": 4}, ".count"),
        ({"count": "9223372036854775808"}, ".count"),
        ({"size": "4"}, ".size"),
        ({"size": 2**31}, ".size"),
        ({"size": 1.5}, ".size"),
        ({"rate": "0.5"}, ".rate"),
        ({"rate": True}, ".rate"),
        ({"time": "2026-11-24 17:00:00"}, ".time"),
        ({"time": "2026-13-24T17:00:00Z"}, ".time"),
        ({"hash": "AAE"}, ".hash"),
        ({"state": "C"}, ".state"),
        ({"state": 1}, ".state"),
        ({"done": "true"}, ".done"),
        ({"labels": {"a": 1}}, ".labels.a"),
        ({"children": {"name": "b"}}, ".children"),
        ({"children": [{"name": "b"}, {"nmae": "c"}]}, ".children[1].nmae"),
    ],
)
def test_deviation_is_reported_with_its_path(change: dict[str, Any], path: str) -> None:
    [fault] = DOCUMENT.find_faults("Job", {**GOOD, **change})
    assert fault.startswith(f"{path} ")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/projects/p/jobs/1", "jobs.get"),
        ("GET", "/v1/projects/p/jobs/1%402", "jobs.get"),
        ("POST", "/v1/projects/p/jobs/1:cancel", "jobs.cancel"),
        ("GET", "/v1/projects/p/jobs/1:cancel", None),
        ("GET", "/v2/projects/p/jobs/1", None),
        ("GET", "/v1/projects/p/jobs/1/more", None),
    ],
)
def test_method_is_found_by_verb_and_path(method: str, path: str, name: str | None) -> None:
    found = DOCUMENT.find_method(method, path)
    assert (found.name if found else None) == name


def make_exchange(body: Any, status: int = 200, kind: str = "application/json", query: str = "") -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange("GET", f"/v1/projects/p/jobs/1{query}", status, kind, content)


def test_every_stream_event_is_checked_as_an_answer() -> None:
    method = DOCUMENT.find_method("GET", "/v1/projects/p/jobs/1")
    assert method
    events = make_exchange(
        b'data: {"name": "a"}\r\n\r\ndata: {"nmae": "b"}\r\n\r\n', kind="text/event-stream"
    )
    assert list(iter_answers(events, method)) == [("Job", {"name": "a"}), ("Job", {"nmae": "b"})]
    assert list(iter_answers(make_exchange(b"text", query="?alt=media"), method)) == []


def test_error_is_checked_against_its_own_schema() -> None:
    error = {
        "code": 404,
        "message": "no",
        "status": "NOT_FOUND",
        "details": [{"@type": "type.googleapis.com/x"}],
    }
    assert find_error_faults(make_exchange({"error": error}, 404), storage=False) == []
    assert find_error_faults(make_exchange({"error": error}, 400), storage=False)
    assert find_error_faults(make_exchange({"error": {**error, "details": [{}]}}, 404), storage=False)
    assert find_error_faults(make_exchange({"error": error}, 404), storage=True) == [
        ".error.errors is missing"
    ]
    assert find_error_faults(make_exchange({}, 404), storage=False)


def test_absent_or_empty_field_is_reported_missing() -> None:
    series: dict[str, Any] = {
        "tensorboardTimeSeriesId": "1",
        "valueType": "SCALAR",
        "values": [{"step": "1", "wallTime": "2026-11-24T17:00:00Z", "scalar": {"value": 0.0}}],
    }
    assert find_missing("TimeSeriesData", series) == []
    assert find_missing("TimeSeriesData", {**series, "valueType": ""}) == ["valueType"]
    series["values"].append({"step": "2", "wallTime": "2026-11-24T17:00:00Z", "scalar": {}})
    assert find_missing("TimeSeriesData", series) == ["values[].scalar.value"]
    assert find_missing("TimeSeriesData", {**series, "values": []}) == [
        "values[].step",
        "values[].wallTime",
        "values[].scalar.value",
    ]
    assert all(find_missing(kind, {}) for kind in FIELDS)
