"""Estimates from the request, the catalog, the operator's prices and earlier jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from engine.base_models.registry import LocalBaseModel
from jobs.estimates.estimate import NEAR_SIZE_FACTOR, PastJob, Range, TrainingData, estimate_run
from jobs.estimates.presentation import figures
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

TINY = next(model for model in catalog.models("engine") if model.id == "studio-tiny")
FLASH = next(model for model in catalog.models("google") if model.id == "gemini-2.5-flash")
PRICED = replace(FLASH, price=5.0, price_as_of="2026-11-01")
DATA = TrainingData(examples=480, tokens=12_000, version=("AAAA", 9000))
RUN = PastJob(
    "earlier",
    seconds=120.0,
    epochs=3,
    examples=480,
    tokens=12_000,
    counted=14_000,
    steps=180,
    version=("BBBB", 9000),
)


def render_figures(
    data: TrainingData, model: BaseModel, *past: PastJob, epochs: int | None = None
) -> dict[str, tuple[str, str]]:
    """{label: (value, where it comes from)}"""
    with translation.override("en"):
        made = figures(
            estimate_run(data, model, epochs, past), model, on_engine="engine" in model.backends[:1]
        )
    return {figure.label: (figure.value, figure.basis) for figure in made}


def test_nothing_is_estimated_without_data() -> None:
    made = estimate_run(DATA, FLASH, None, [])
    assert (made.steps, made.seconds, made.dollars) == (None, None, None)
    assert made.per_epoch
    words = render_figures(DATA, FLASH)
    assert words["Epochs"][0] == "not known yet" and "per epoch" in words["Epochs"][1]
    assert words["Time"] == (
        "not known yet",
        "No gemini-2.5-flash job has finished in this project yet.",
    )
    assert words["Cost"] == (
        "unknown",
        "No price is set for gemini-2.5-flash. An installation admin can set one.",
    )
    assert "Steps" not in words


def test_chosen_epochs_and_price_give_a_dated_cost() -> None:
    words = render_figures(replace(DATA, tokens=1_000_000), PRICED, epochs=3)
    assert words["Training tokens"][0] == "about 1,000,000 × 3"
    assert words["Cost"][0] == "about $15.00"
    assert "At $5.00 per million training tokens (price as of 1 Nov 2026)." in words["Cost"][1]


def test_epoch_range_comes_from_earlier_jobs() -> None:
    runs = [replace(RUN, epochs=epochs, examples=100) for epochs in (4, 10, 7)]
    asked = replace(RUN, epochs=90, asked=True)
    made = estimate_run(replace(DATA, tokens=1_000_000), PRICED, None, [asked, *runs])
    assert made.epochs.range == Range(4, 10) and made.epochs.jobs == 3
    assert made.dollars is not None and made.dollars.range == Range(20, 50)
    words = render_figures(replace(DATA, tokens=1_000_000), PRICED, asked, *runs)
    assert words["Epochs"] == (
        "4 to 10",
        "What the service chose in 3 earlier jobs in this project.",
    )
    assert words["Cost"][0] == "about $20.00 to $50.00"


def test_jobs_of_similar_size_are_preferred_for_epochs() -> None:
    runs = [replace(RUN, epochs=5), replace(RUN, epochs=30, examples=10)]
    assert estimate_run(DATA, FLASH, None, runs).epochs.range == Range(5, 5)


def test_cost_is_per_epoch_when_epochs_are_unknown() -> None:
    words = render_figures(replace(DATA, tokens=1_000_000), PRICED)
    assert words["Cost"][0] == "about $5.00 per epoch"
    assert words["Training tokens"][0] == "about 1,000,000"


def test_engine_cost_is_free() -> None:
    words = render_figures(DATA, TINY)
    assert words["Cost"] == ("free", "Runs on this server.")
    assert words["Epochs"][0] == "7" and words["Steps"][0] == "about 420"


@pytest.mark.parametrize(
    ("data", "past", "tokens", "words"),
    [
        (DATA, [RUN], 12_000, "Estimated at 4 bytes per token."),
        (replace(DATA, ratio=1.25), [RUN], 15_000, "adjusted with the model’s tokenizer on 16 examples"),
        (
            replace(DATA, ratio=1.25),
            [RUN, replace(RUN, name="same", version=DATA.version)],
            14_000,
            "Counted by the service in “same”",
        ),
    ],
)
def test_token_basis_names_its_source(
    data: TrainingData, past: list[PastJob], tokens: int, words: str
) -> None:
    made = estimate_run(data, FLASH, 3, past)
    assert made.tokens is not None and made.tokens.once == tokens
    assert words in render_figures(data, FLASH, *past, epochs=3)["Training tokens"][1]


def test_time_uses_the_median_pace_of_similar_jobs() -> None:
    paced = [replace(RUN, seconds=seconds) for seconds in (100.0, 120.0, 900.0)]
    tiny = replace(RUN, tokens=10, seconds=60.0)
    made = estimate_run(DATA, FLASH, 6, [*paced, tiny])
    assert made.seconds is not None
    assert made.seconds.range.low == pytest.approx(240) and made.seconds.jobs == 3
    words = render_figures(DATA, FLASH, *paced, tiny, epochs=6)["Time"]
    assert words == (
        "about 4 min",
        "Based on the median pace of 3 finished gemini-2.5-flash jobs in this project.",
    )
    far = estimate_run(DATA, FLASH, 6, [tiny])
    assert far.seconds is not None and far.seconds.jobs == 1
    assert "None was close to this size" in render_figures(DATA, FLASH, tiny, epochs=6)["Time"][1]


def test_steps_use_the_batch_size_of_earlier_jobs() -> None:
    made = estimate_run(replace(DATA, examples=80), FLASH, 2, [RUN])
    assert made.steps is not None and (made.steps.range, made.steps.jobs) == (Range(20, 20), 1)


def test_cost_below_one_cent_is_shown() -> None:
    assert render_figures(replace(DATA, tokens=10), PRICED, epochs=1)["Cost"][0] == "less than $0.01"


amounts = st.none() | st.integers(0, 10**9)
pasts = st.lists(
    st.builds(
        PastJob,
        name=st.just("x"),
        seconds=st.none() | st.floats(-10, 1e6),
        epochs=st.none() | st.integers(0, 1000),
        asked=st.booleans(),
        examples=amounts,
        tokens=amounts,
        counted=amounts,
        steps=amounts,
        version=st.sampled_from([("AAAA", 9000), ("BBBB", 9000), ("", 0)]),
    ),
    max_size=6,
)


@given(
    data=st.builds(
        TrainingData, examples=st.integers(0, 10**7), tokens=st.integers(0, 10**9), ratio=st.none()
    ),
    epochs=st.none() | st.integers(1, 1000),
    past=pasts,
    model=st.sampled_from([TINY, FLASH, PRICED]),
)
def test_ranges_are_ordered_and_not_negative(
    data: TrainingData, epochs: int | None, past: list[PastJob], model: BaseModel
) -> None:
    made = estimate_run(data, model, epochs, past)
    for amount in filter(None, [made.steps, made.seconds, made.dollars, made.epochs]):
        assert 0 <= amount.range.low <= amount.range.high
    assert all(figure.value for figure in figures(made, model, on_engine=False))


@given(st.integers(1, 10**6), st.integers(1, 50), st.floats(0.001, 10))
def test_time_is_proportional_to_tokens(tokens: int, epochs: int, pace: float) -> None:
    """Jobs with the same pace give that pace, regardless of their size."""
    past = [
        PastJob("x", seconds=tokens * epochs * times * pace, epochs=epochs, tokens=tokens * times)
        for times in (1, int(NEAR_SIZE_FACTOR) * 3)
    ]
    made = estimate_run(TrainingData(10, tokens), FLASH, epochs, past)
    assert made.seconds is not None and made.seconds.range.low == pytest.approx(tokens * epochs * pace)


def test_catalogue_recommendation_matches_the_engine() -> None:
    folder = Path(settings.BASE_DIR) / "engine" / "base" / "studio-tiny"
    kept = json.loads((folder / "base.json").read_text())["recommended"]
    assert TINY.recommended is not None
    told = (TINY.recommended.steps, TINY.recommended.batch_size, TINY.recommended.max_epochs)
    assert told == (kept["steps"], kept["batchSize"], kept["maxEpochs"])
    base = LocalBaseModel.from_folder(folder)
    for examples in (1, 7, 8, 9, 100, 480, 3200, 10**6):
        assert TINY.recommended.recommend_epochs(examples) == base.recommended_epochs(examples)
