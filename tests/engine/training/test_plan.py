"""What a job will do, before it does it."""

from typing import Any

import pytest

from engine.base_models.registry import Base
from engine.training.plan import Plan


def plan(base: Base, examples: int = 12, model: str = "studio-tiny", **spec: Any) -> Plan:
    return Plan.of({"model": model, "request": {"supervisedTuningSpec": spec}}, base, examples)


def test_what_the_job_does_not_name_is_what_the_base_recommends(base: Base) -> None:
    made = plan(base)
    assert (made.epochs, made.steps, made.rank, made.multiplier, made.batch_size) == (4, 12, 4, 1.0, 4)


def test_what_the_job_names_holds(base: Base) -> None:
    chosen = {"epochCount": "2", "adapterSize": "ADAPTER_SIZE_TWO", "learningRateMultiplier": 0.5}
    made = plan(base, hyperParameters=chosen)
    assert (made.epochs, made.rank, made.multiplier) == (2, 2, 0.5)
    assert max(map(made.learning_rate, range(made.steps))) == 0.5 * base.learning_rate


def test_batch_size_and_rate_may_be_the_jobs_own(base: Base) -> None:
    made = plan(base, hyperParameters={"epochCount": "1", "batchSize": "5", "learningRate": 0.5})
    assert (made.batch_size, made.steps_per_epoch, made.steps) == (5, 3, 3)
    assert max(map(made.learning_rate, range(made.steps))) == 0.5


def test_a_stand_in_brings_its_own_adapter_size(base: Base) -> None:
    assert plan(base, model="gemini-1.5-flash-002").rank == 8


def test_the_learning_rate_warms_up_and_falls_to_nearly_nothing(base: Base) -> None:
    made = plan(base, examples=400, hyperParameters={"epochCount": 1})
    rates = [made.learning_rate(step) for step in range(made.steps)]
    peak = rates.index(max(rates))
    assert peak == pytest.approx(0.1 * made.steps, abs=1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.001 * base.learning_rate


@pytest.mark.parametrize(("epochs", "count"), [(1, 5), (4, 17), (10, 41), (13, 40), (30, 31), (100, 101)])
def test_evaluations_go_through_the_run_and_meet_each_epochs_end(base: Base, epochs: int, count: int) -> None:
    made = plan(base, examples=1_000, hyperParameters={"epochCount": epochs})
    assert len(made.evaluations) == count
    assert {epoch * made.steps_per_epoch for epoch in range(epochs + 1)} <= made.evaluations


def test_a_short_epoch_is_evaluated_once_per_step(base: Base) -> None:
    assert sorted(plan(base, examples=2, hyperParameters={"epochCount": 3}).evaluations) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("epochs", "ends"),
    [(1, [1]), (9, list(range(1, 10))), (10, list(range(1, 11))), (30, list(range(3, 31, 3)))],
)
def test_checkpoints_follow_the_epochs_or_are_ten(base: Base, epochs: int, ends: list[int]) -> None:
    made = plan(base, hyperParameters={"epochCount": epochs})
    assert made.checkpoints == {end * 3: str(number) for number, end in enumerate(ends, start=1)}


def test_only_the_last_checkpoint_where_that_is_asked(base: Base) -> None:
    assert plan(base, exportLastCheckpointOnly=True).checkpoints == {12: "1"}
