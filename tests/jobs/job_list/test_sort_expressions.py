"""The job list is sorted by the displayed values for any JSON, on both databases."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from jobs import tuning_job_resource
from jobs.job_list.filters import Filters, select_rows
from jobs.job_list.sort_expressions import STATE_ORDER
from jobs.models import Submission, TuningJob
from jobs.status import get_run_progress, status_of
from studio.models import Project
from studio.vertex import job_states

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LOSSES = [
    0.5,
    9,
    10,
    100.25,
    1e-7,
    2.5e30,
    -1.5,
    0,
    None,
    "absent",
    "0.75",
    "NaN",
    "null",
    "",
    [],
    True,
    "9x",
]
COUNTS = [9, 10, 100, 431, 0, None, "absent", "564", "1000", "junk", "", " ", "-5"]
RATES = [1.1, 0.25, 3, 0, None, "absent"]
MOMENTS = [
    *("2026-11-27T10:00:00Z", "2026-11-27T11:59:59.123456Z", "2026-11-27T11:00:00.5+00:00"),
    *("2026-11-27T19:30:00+09:00", "2026-11-27T10:00:00.123456789Z"),
    *("", None, "absent", "yesterday", "2026-11-27", 5, {}),
    *("2026-02-30T10:00:00Z", "2026-02-29T10:00:00Z", "2024-02-29T10:00:00Z", "2026-04-31T10:00:00Z"),
    *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-27T10:00:00+99:99"),
]
STATES = [*STATE_ORDER, *[job_states.RUNNING] * 20, "", "JOB_STATE_HIBERNATING"]


def drop_absent(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != "absent"}


def random_job(chance: random.Random, project: Project, user: User) -> TuningJob:
    pick = chance.choice
    state = pick(STATES)
    told = drop_absent(completedStepCount=pick(COUNTS))
    planned = drop_absent(tuningStepCount=pick(COUNTS))
    answer = {
        **drop_absent(startTime=pick(MOMENTS)),
        "tuningJobMetadata": pick([told, told, {}, None]),
        "tuningDataStats": pick([{"supervisedTuningDataStats": planned}, {}, None]),
    }
    summary = {
        "best": pick([drop_absent(value=pick(LOSSES)), None]),
        "last": pick([drop_absent(value=pick(LOSSES)), None]),
        **drop_absent(step=pick([9, 10, 431, 0, "absent"]), steps=pick([564, 90, None, "absent"])),
        **drop_absent(rate=pick(RATES)),
    }
    return TuningJob(
        project=project,
        owner=user,
        tuned_model_display_name=pick(["b", "B2", "a", "A", "", "élan", "10", "9"]),
        base_model=pick(["studio-tiny", "gemini-2.5-flash", "Studio", ""]),
        location="us-central1",
        submission=pick([*Submission, *[Submission.CREATED] * 12]),
        state=state,
        remote=answer,
        summary=pick([summary, summary, summary, {}]),
        ended_at=NOW - timedelta(minutes=chance.random() * 90) if state in job_states.TERMINAL else None,
        deleted_at=pick([NOW, *[None] * 8]),
        cancel_asked_at=pick([NOW, *[None] * 6]),
    )


@pytest.fixture
def zoo(project: Project, tuner: User) -> list[TuningJob]:
    chance = random.Random(11)
    made = [random_job(chance, project, tuner) for _ in range(700)]
    for number, job in enumerate(made):
        job.name = f"projects/local/locations/us-central1/tuningJobs/{number}"
    return TuningJob.objects.bulk_create(made)


def get_loss(job: TuningJob, which: str) -> float | None:
    """Return a loss of the summary; metrics writes numbers, and anything else isn't a loss."""
    value = (job.summary.get(which) or {}).get("value")
    return tuning_job_resource.parse_float(value) if value not in ("NaN", "null") else None


def is_active(job: TuningJob) -> bool:
    return job.is_created and not job.is_final


def get_progress(job: TuningJob) -> float | None:
    work = get_run_progress(job)
    return work.step / work.steps if is_active(job) and work.step and work.steps else None


def get_time_left(job: TuningJob) -> float | None:
    return get_run_progress(job).left if is_active(job) else None


def get_status_rank(job: TuningJob) -> int | None:
    look = status_of(job)
    words = [
        "Draft",
        "Starting",
        *(str(status_of(TuningJob(submission="created", state=s)).word) for s in STATE_ORDER),
    ]
    words += ["Rejected", "Deleted"]
    if look.word == "Outcome unknown":
        return words.index("Starting")
    return words.index(str(look.word)) if look.word in words else None


def get_duration(job: TuningJob) -> float | None:
    return job.elapsed


SHOWN: dict[str, Callable[[TuningJob], Any]] = {
    "status": get_status_rank,
    "best": lambda job: get_loss(job, "best"),
    "final": lambda job: get_loss(job, "last"),
    "progress": get_progress,
    "left": get_time_left,
    "duration": get_duration,
    "created": lambda job: job.created_at,
}


def list_sorted(project: Project, sort: str) -> list[TuningJob]:
    filters = Filters.from_query(QueryDict(f"sort={sort}"))
    assert filters.sort == sort
    return list(select_rows(TuningJob.objects.filter(project=project), filters))


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", SHOWN)
def test_rows_are_sorted_by_the_values_they_show(
    key: str, sign: str, zoo: list[TuningJob], project: Project
) -> None:
    rows = list_sorted(project, sign + key)
    assert len(rows) == len(zoo)
    values = [SHOWN[key](job) for job in rows]
    known = [value for value in values if value is not None]
    assert values[len(known) :] == [None] * (len(rows) - len(known)), "what is unknown comes last"
    assert len(known) > 10
    for before, after in pairwise(known):
        in_order = before >= after if sign else before <= after
        assert in_order or math.isclose(to_seconds(before), to_seconds(after), rel_tol=1e-9, abs_tol=0.01)


def to_seconds(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)


@pytest.mark.parametrize("sort", Filters.SORTS)
@pytest.mark.parametrize(
    ("done", "planned"),
    [
        ("9" * 60 + "e59", "0." + "0" * 58 + "1e-59"),
        ("0." + "0" * 58 + "1e-59", "9" * 60 + "e59"),
        ("9" * 200 + "e99", "1e-99"),
        ("1e-99", "9" * 200 + "e99"),
        ("0." + "0" * 400 + "1", "1"),
        (10**40, "9" * 5000),
        (-1, -(2**63)),
    ],
    ids=lambda value: str(value)[:10],
)
def test_no_number_of_the_service_fails_the_list(
    sort: str, project: Project, tuner: User, done: Any, planned: Any
) -> None:
    """PostgreSQL answers a double that overflows, or becomes zero, with an error."""
    remote = {
        "tuningJobMetadata": {"completedStepCount": done},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": planned}},
    }
    TuningJob.objects.create(
        project=project,
        owner=tuner,
        submission=Submission.CREATED,
        state=job_states.RUNNING,
        remote=remote,
        summary={"rate": planned, "best": {"value": done}, "last": {"value": planned}},
    )
    assert len(list_sorted(project, sort)) == 1


@pytest.mark.parametrize("sort", Filters.SORTS)
def test_equal_rows_stay_newest_first(sort: str, project: Project, tuner: User) -> None:
    made = [TuningJob.objects.create(project=project, owner=tuner, created_at=NOW) for _ in range(4)]
    TuningJob.objects.update(created_at=NOW)
    for sign in ("", "-"):
        assert [job.pk for job in list_sorted(project, sign + sort)] == [job.pk for job in reversed(made)]


@pytest.mark.parametrize(("sort", "field"), [("name", "tuned_model_display_name"), ("base", "base_model")])
def test_text_sorts_case_insensitively_with_blanks_last(
    sort: str, field: str, project: Project, tuner: User
) -> None:
    for word in ("beta", "", "Alpha", "alpine", "Beta 2"):
        TuningJob.objects.create(project=project, owner=tuner, **{field: word})
    rising, falling = (
        [getattr(job, field) for job in list_sorted(project, sign + sort)] for sign in ("", "-")
    )
    assert rising == ["Alpha", "alpine", "beta", "Beta 2", ""]
    assert falling == ["Beta 2", "beta", "alpine", "Alpha", ""]


@pytest.mark.parametrize(
    ("key", "query"),
    [
        ("name", "sort=name"),
        ("best", "sort=best"),
        ("duration", "sort=-duration"),
        ("created", "sort=created"),
    ],
)
def test_first_click_on_a_heading_asks_for_its_usual_direction(key: str, query: str) -> None:
    assert Filters().heading(key, "label").query == query
