"""Sort expressions of the job list, equivalent on SQLite and PostgreSQL.

Numbers in JSON are compared as numbers, whether the service wrote them as numbers or strings. Missing, null
and non-numeric values become NULL and are sorted last in both directions.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, F, FloatField, Func, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Greatest, Lower, Now, NullIf
from django.db.models.lookups import Regex

from jobs.querysets import HANDED_OVER, Submission
from studio.vertex import job_states

NUMBER = r"^-?[0-9]{1,60}(\.[0-9]{1,60})?([eE][-+]?[0-5]?[0-9])?$"
"""Numbers between 1e-119 and 1e119: neither they nor the quotient of two of them exceed a double, which
PostgreSQL answers with an error."""
DAY = (
    r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))"
)
LEAP_DAY = r"20([02468][48]|[2468]0|[13579][26])-02-29"
TIMESTAMP = (
    rf"^((20|21)[0-9]{{2}}-{DAY}|{LEAP_DAY})"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,30})?(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])$"
)
"""Days that exist, in the years that `jobs.tuning_job_resource` accepts: PostgreSQL refuses the whole list
for the 30th of February."""
STATE_ORDER = (
    *(
        job_states.QUEUED,
        job_states.PENDING,
        job_states.RUNNING,
        job_states.PAUSED,
        job_states.UPDATING,
        job_states.CANCELLING,
    ),
    *(
        job_states.SUCCEEDED,
        job_states.PARTIALLY_SUCCEEDED,
        job_states.CANCELLED,
        job_states.FAILED,
        job_states.EXPIRED,
    ),
)
"""States from first to last. Unknown states have no rank."""


class Seconds(Func):
    """A timestamp (column or ISO text) in seconds. The epoch differs by database: use differences only."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="(julianday(%(expressions)s) * 86400.0)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "EXTRACT(EPOCH FROM (%(expressions)s)::timestamptz)::float8"
        return self.as_sql(compiler, connection, template=template, **extra)


def json_number(path: str) -> Case:
    """Return a JSON number or NULL.

    Text is checked first: on PostgreSQL one invalid cast would fail the query.
    """
    return Case(When(Regex(KT(path), NUMBER), then=Cast(KT(path), FloatField())), output_field=FloatField())


def positive_or_null(expression: Combinable) -> NullIf:
    return NullIf(Greatest(expression, Value(0.0)), Value(0.0))


def lower_or_null(column: str) -> NullIf:
    """Return the text in lower case, or NULL if it is blank."""
    return NullIf(Lower(column), Value(""))


def status_rank() -> Case:
    """Return the rank of a job's status, in the sense of `jobs.status`."""
    reached = {state: Value(rank) for rank, state in enumerate(STATE_ORDER)}
    leaving = Q(cancel_asked_at__isnull=False) & ~Q(state__in=sorted(job_states.TERMINAL))
    return Case(
        When(deleted_at__isnull=False, then=Value(len(STATE_ORDER) + 1)),
        When(submission=Submission.REFUSED, then=Value(len(STATE_ORDER))),
        When(submission=Submission.DRAFT, then=Value(-2)),
        When(submission__in=HANDED_OVER, then=Value(-1)),
        When(leaving, then=reached[job_states.CANCELLING]),
        *(When(state=state, then=rank) for state, rank in reached.items()),
        output_field=IntegerField(),
    )


def completed_steps() -> Combinable:
    """Return the larger step count of the resource and the points, as `jobs.status.get_run_progress` does."""
    reported, drawn = (
        json_number("remote__tuningJobMetadata__completedStepCount"),
        json_number("summary__step"),
    )
    return positive_or_null(Greatest(Coalesce(reported, Value(0.0)), Coalesce(drawn, Value(0.0))))


def total_steps() -> Combinable:
    planned = json_number("remote__tuningDataStats__supervisedTuningDataStats__tuningStepCount")
    return Coalesce(
        positive_or_null(Coalesce(planned, Value(0.0))), positive_or_null(json_number("summary__steps"))
    )


def only_while_active(value: Combinable, *also: Q) -> Case:
    """Return `value` for active jobs, else NULL, as the row displays it."""
    return Case(When(Q(ONGOING, *also), then=value), output_field=FloatField())


ONGOING = Q(submission=Submission.CREATED, deleted_at__isnull=True) & ~Q(
    state__in=sorted(job_states.TERMINAL)
)
WORKING = Q(state=job_states.RUNNING, cancel_asked_at__isnull=True)


def progress_ratio() -> Case:
    return only_while_active(completed_steps() / total_steps())


def time_left() -> Case:
    left = positive_or_null(total_steps() - completed_steps()) / positive_or_null(
        json_number("summary__rate")
    )
    return only_while_active(left, WORKING)


def run_duration() -> Case:
    started = KT("remote__startTime")
    worked = Seconds(Coalesce(F("ended_at"), F("deleted_at"), Now())) - Seconds(started)
    return Case(When(Regex(started, TIMESTAMP), then=worked), output_field=FloatField())
