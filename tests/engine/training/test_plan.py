"""What a job will do, before it does it."""

from typing import Any

import pytest

from engine.base_models.registry import LocalBaseModel
from engine.training.plan import Plan


def make_plan(base: LocalBaseModel, examples: int = 12, model: str = "studio-tiny", **spec: Any) -> Plan:
    return Plan.from_job({"model": model, "request": {"supervisedTuningSpec": spec}}, base, examples)


def test_defaults_come_from_the_base_model(base: LocalBaseModel) -> None:
    made = make_plan(base)
    assert (made.epochs, made.steps, made.rank, made.multiplier, made.batch_size) == (4, 12, 4, 1.0, 4)


def test_hyper_parameters_of_the_job_override_the_defaults(base: LocalBaseModel) -> None:
    chosen = {"epochCount": "2", "adapterSize": "ADAPTER_SIZE_TWO", "learningRateMultiplier": 0.5}
    made = make_plan(base, hyperParameters=chosen)
    assert (made.epochs, made.rank, made.multiplier) == (2, 2, 0.5)
    assert max(map(made.learning_rate, range(made.steps))) == 0.5 * base.learning_rate


def test_batch_size_and_learning_rate_can_be_set(base: LocalBaseModel) -> None:
    made = make_plan(base, hyperParameters={"epochCount": "1", "batchSize": "5", "learningRate": 0.5})
    assert (made.batch_size, made.steps_per_epoch, made.steps) == (5, 3, 3)
    assert max(map(made.learning_rate, range(made.steps))) == 0.5


def test_stand_in_has_its_own_default_adapter_size(base: LocalBaseModel) -> None:
    assert make_plan(base, model="gemini-1.5-flash-002").rank == 8


def test_learning_rate_warms_up_and_decays_to_almost_zero(base: LocalBaseModel) -> None:
    made = make_plan(base, examples=400, hyperParameters={"epochCount": 1})
    rates = [made.learning_rate(step) for step in range(made.steps)]
    peak = rates.index(max(rates))
    assert peak == pytest.approx(0.1 * made.steps, abs=1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.001 * base.learning_rate


@pytest.mark.parametrize(("epochs", "count"), [(1, 5), (4, 17), (10, 41), (13, 40), (30, 31), (100, 101)])
def test_evaluations_are_spread_over_the_run_and_at_each_epoch_end(
    base: LocalBaseModel, epochs: int, count: int
) -> None:
    made = make_plan(base, examples=1_000, hyperParameters={"epochCount": epochs})
    assert len(made.evaluation_steps) == count
    assert {epoch * made.steps_per_epoch for epoch in range(epochs + 1)} <= made.evaluation_steps


def test_a_short_epoch_is_evaluated_once_per_step(base: LocalBaseModel) -> None:
    assert sorted(make_plan(base, examples=2, hyperParameters={"epochCount": 3}).evaluation_steps) == [
        0,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize(
    ("epochs", "ends"),
    [(1, [1]), (9, list(range(1, 10))), (10, list(range(1, 11))), (30, list(range(3, 31, 3)))],
)
def test_checkpoints_are_one_per_epoch_and_at_most_ten(
    base: LocalBaseModel, epochs: int, ends: list[int]
) -> None:
    made = make_plan(base, hyperParameters={"epochCount": epochs})
    assert made.checkpoint_ids == {end * 3: str(number) for number, end in enumerate(ends, start=1)}


def test_export_last_checkpoint_only_gives_one_checkpoint(base: LocalBaseModel) -> None:
    assert make_plan(base, exportLastCheckpointOnly=True).checkpoint_ids == {12: "1"}
