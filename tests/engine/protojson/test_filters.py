"""Google's standard filter, and the order of lists."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protojson.errors import ApiError
from engine.protojson.filters import compile_filter
from engine.protojson.pagination import sort_resources

JOBS: list[dict[str, Any]] = [
    {"name": "a", "state": "JOB_STATE_RUNNING", "labels": {"team": "red", "tune-type": "sft"}},
    {"name": "b", "state": "JOB_STATE_FAILED", "labels": {"team": "blue"}, "error": {"code": 13}},
    {"name": "c", "state": "JOB_STATE_FAILED", "createTime": "2026-11-22T20:46:36Z", "isDefault": True},
]
RUN = {"name": "r", "schemaTitle": "system.ExperimentRun", "parentContexts": ["projects/p/contexts/e"]}


def filter_names(text: str) -> str:
    keeps = compile_filter(text)
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
        ('state="*STATE_F*"', "bc"),
        ('state="*RUN*ING" OR state="J*F*D"', "abc"),
        ('state="JOB_STATE_FAILED*JOB_STATE_FAILED"', ""),
        ('state="*"', "abcr"),
        ('state="**"', "abcr"),
        ("NOT NOT labels.team=red", "a"),
        ('schema_title="system.ExperimentRun" AND parent_contexts:"projects/p/contexts/e"', "r"),
        (
            '(schema_title="system.ExperimentRun" OR schema_title="system.PipelineRun")'
            ' AND parent_contexts:"projects/p/contexts/e"',
            "r",
        ),
    ],
)
def test_filter_keeps_matching_resources(text: str, names: str) -> None:
    assert filter_names(text) == names


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
def test_invalid_filter_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid filter") as caught:
        compile_filter(text)
    assert caught.value.violations[0].field == "filter"


def test_order_by_several_fields_sorts_by_each() -> None:
    models = [{"displayName": "b", "createTime": "1"}, {"displayName": "a", "createTime": "1"}]
    models.append({"displayName": "c", "createTime": "2"})

    def sort_names(text: str) -> str:
        found = sort_resources(models, text, ("display_name", "create_time"))
        return "".join(model["displayName"] for model in found)

    assert sort_names("") == "bac"
    assert sort_names("display_name") == "abc"
    assert sort_names("displayName desc") == "cba"
    assert sort_names("create_time desc, display_name") == "cab"
    for wrong in ("name", "display_name down", "display_name desc now"):
        with pytest.raises(ApiError, match="Invalid order_by"):
            sort_names(wrong)


def test_pattern_of_many_stars_takes_no_time() -> None:
    keeps = compile_filter(f'name="{"*a" * 60}*b"')
    assert not keeps({"name": "a" * 2000})
    assert keeps({"name": "a" * 2000 + "b"})


@pytest.mark.parametrize(
    "text", ["NOT " * 51 + "a=b", "(" * 51 + "a=b" + ")" * 51, "NOT (" * 26 + "a=b" + ")" * 26]
)
def test_filter_is_nested_fifty_times_at_most(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid filter"):
        compile_filter(text)


def test_parts_side_by_side_are_not_nested() -> None:
    assert filter_names(" OR ".join(["(NOT labels.team=red)"] * 60)) == "bcr"
