"""Google's standard filter, and the order of lists."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protojson.errors import ApiError
from engine.protojson.filters import filter_of
from engine.protojson.pagination import in_order

JOBS: list[dict[str, Any]] = [
    {"name": "a", "state": "JOB_STATE_RUNNING", "labels": {"team": "red", "tune-type": "sft"}},
    {"name": "b", "state": "JOB_STATE_FAILED", "labels": {"team": "blue"}, "error": {"code": 13}},
    {"name": "c", "state": "JOB_STATE_FAILED", "createTime": "2026-11-22T20:46:36Z", "isDefault": True},
]
RUN = {"name": "r", "schemaTitle": "system.ExperimentRun", "parentContexts": ["projects/p/contexts/e"]}


def kept(text: str) -> str:
    keeps = filter_of(text)
    return "".join(job["name"] for job in [*JOBS, RUN] if keeps(job))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "abcr"),
        ("labels.team=red", "a"),
        ("labels.team!=red", "bcr"),
        ("labels.tune-type:*", "a"),
        ("labels:team", "ab"),
        ('state="JOB_STATE_FAILED"', "bc"),
        ("state = 'JOB_STATE_FAILED' AND labels.team = blue", "b"),
        ('state="JOB_STATE_FAILED" labels.team=blue', "b"),
        ("labels.team=red OR labels.team=blue", "ab"),
        ("NOT labels.team:*", "cr"),
        ('state="JOB_STATE_FAILED" AND NOT (labels.team=red OR labels.team=blue)', "c"),
        ("labels.team=red OR labels.team=blue AND state=JOB_STATE_FAILED", "b"),
        ("error.code=13", "b"),
        ("error.code>9", "b"),
        ('create_time > "2026-11-22T00:00:00Z"', "c"),
        ('createTime<="2026-11-21T00:00:00Z"', ""),
        ("is_default=true", "c"),
        ('state="JOB_STATE_RUN*"', "a"),
        ('schema_title="system.ExperimentRun" AND parent_contexts:"projects/p/contexts/e"', "r"),
        (
            '(schema_title="system.ExperimentRun" OR schema_title="system.PipelineRun")'
            ' AND parent_contexts:"projects/p/contexts/e"',
            "r",
        ),
    ],
)
def test_a_filter_keeps(text: str, names: str) -> None:
    assert kept(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "what is this",
        "labels.team=",
        "=red",
        "(a=b",
        "a=b)",
        "a=b AND",
        "NOT",
        'a="b',
        "a b",
        "(" * 60 + "a=b",
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid filter") as caught:
        filter_of(text)
    assert caught.value.violations[0].field == "filter"


def test_an_order_by_several_fields() -> None:
    models = [{"displayName": "b", "createTime": "1"}, {"displayName": "a", "createTime": "1"}]
    models.append({"displayName": "c", "createTime": "2"})

    def ordered(text: str) -> str:
        found = in_order(models, text, ("display_name", "create_time"))
        return "".join(model["displayName"] for model in found)

    assert ordered("") == "bac"
    assert ordered("display_name") == "abc"
    assert ordered("displayName desc") == "cba"
    assert ordered("create_time desc, display_name") == "cab"
    for wrong in ("name", "display_name down", "display_name desc now"):
        with pytest.raises(ApiError, match="Invalid order_by"):
            ordered(wrong)
