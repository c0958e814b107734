"""What a run will take, from what the request, the catalogue, an operator and earlier jobs tell."""

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
from jobs.estimates.estimate import NEAR, Data, Past, Range, estimate
from jobs.estimates.presentation import figures
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel

TINY = next(model for model in catalog.models("engine") if model.id == "studio-tiny")
FLASH = next(model for model in catalog.models("google") if model.id == "gemini-2.5-flash")
PRICED = replace(FLASH, price=5.0, price_as_of="2026-11-01")
DATA = Data(examples=480, tokens=12_000, version=("AAAA", 9000))
RUN = Past(
    "earlier",
    seconds=120.0,
    epochs=3,
    examples=480,
    tokens=12_000,
    counted=14_000,
    steps=180,
    version=("BBBB", 9000),
)


def told(data: Data, model: BaseModel, *past: Past, epochs: int | None = None) -> dict[str, tuple[str, str]]:
    """{label: (value, where it comes from)}"""
    with translation.override("en"):
        made = figures(estimate(data, model, epochs, past), model, on_engine="engine" in model.backends[:1])
    return {figure.label: (figure.value, figure.basis) for figure in made}


def test_without_anything_to_rest_on_nothing_is_guessed() -> None:
    made = estimate(DATA, FLASH, None, [])
    assert (made.steps, made.seconds, made.dollars) == (None, None, None)
    assert made.per_epoch
    words = told(DATA, FLASH)
    assert words["Epochs"][0] == "not known yet" and "for one epoch" in words["Epochs"][1]
    assert words["Time"] == (
        "not known yet",
        "No job on gemini-2.5-flash has finished in this project yet.",
    )
    assert words["Cost"] == (
        "not known",
        "No price is set for gemini-2.5-flash; an operator can set one.",
    )
    assert "Steps" not in words


def test_chosen_epochs_and_a_price_make_a_cost_with_its_date() -> None:
    words = told(replace(DATA, tokens=1_000_000), PRICED, epochs=3)
    assert words["Training tokens"][0] == "about 1,000,000 × 3"
    assert words["Cost"][0] == "about $15.00"
    assert "At $5.00 for a million training tokens, the price of 1 Nov 2026." in words["Cost"][1]


def test_epochs_that_the_service_chooses_make_a_range_of_what_it_chose_before() -> None:
    runs = [replace(RUN, epochs=epochs, examples=100) for epochs in (4, 10, 7)]
    asked = replace(RUN, epochs=90, asked=True)
    made = estimate(replace(DATA, tokens=1_000_000), PRICED, None, [asked, *runs])
    assert made.epochs.range == Range(4, 10) and made.epochs.jobs == 3
    assert made.dollars is not None and made.dollars.range == Range(20, 50)
    words = told(replace(DATA, tokens=1_000_000), PRICED, asked, *runs)
    assert words["Epochs"] == ("4 to 10", "What the service chose in 3 earlier jobs here.")
    assert words["Cost"][0] == "about $20.00 to $50.00"


def test_jobs_with_as_many_examples_tell_more_than_the_others() -> None:
    runs = [replace(RUN, epochs=5), replace(RUN, epochs=30, examples=10)]
    assert estimate(DATA, FLASH, None, runs).epochs.range == Range(5, 5)


def test_without_epochs_the_cost_is_for_each_of_them() -> None:
    words = told(replace(DATA, tokens=1_000_000), PRICED)
    assert words["Cost"][0] == "about $5.00 for each epoch"
    assert words["Training tokens"][0] == "about 1,000,000"


def test_the_engine_is_free_and_says_where_it_runs() -> None:
    words = told(DATA, TINY)
    assert words["Cost"] == ("free", "It runs on this server.")
    assert words["Epochs"][0] == "7" and words["Steps"][0] == "about 420"


@pytest.mark.parametrize(
    ("data", "past", "tokens", "words"),
    [
        (DATA, [RUN], 12_000, "Estimated from the text, at 4 bytes"),
        (replace(DATA, ratio=1.25), [RUN], 15_000, "set right by the service’s own count of a sample"),
        (
            replace(DATA, ratio=1.25),
            [RUN, replace(RUN, name="same", version=DATA.version)],
            14_000,
            "Counted by the service in “same”",
        ),
    ],
)
def test_tokens_say_who_counted_them(data: Data, past: list[Past], tokens: int, words: str) -> None:
    made = estimate(data, FLASH, 3, past)
    assert made.tokens is not None and made.tokens.once == tokens
    assert words in told(data, FLASH, *past, epochs=3)["Training tokens"][1]


def test_the_pace_is_the_median_of_the_jobs_nearest_in_size() -> None:
    paced = [replace(RUN, seconds=seconds) for seconds in (100.0, 120.0, 900.0)]
    tiny = replace(RUN, tokens=10, seconds=60.0)
    made = estimate(DATA, FLASH, 6, [*paced, tiny])
    assert made.seconds is not None
    assert made.seconds.range.low == pytest.approx(240) and made.seconds.jobs == 3
    words = told(DATA, FLASH, *paced, tiny, epochs=6)["Time"]
    assert words == (
        "about 4 min",
        "At the median pace of 3 finished jobs on gemini-2.5-flash in this project.",
    )
    far = estimate(DATA, FLASH, 6, [tiny])
    assert far.seconds is not None and far.seconds.jobs == 1
    assert "None was of this size" in told(DATA, FLASH, tiny, epochs=6)["Time"][1]


def test_steps_follow_the_batch_size_that_earlier_jobs_show() -> None:
    made = estimate(replace(DATA, examples=80), FLASH, 2, [RUN])
    assert made.steps is not None and (made.steps.range, made.steps.jobs) == (Range(20, 20), 1)


def test_less_than_a_cent_is_not_nothing() -> None:
    assert told(replace(DATA, tokens=10), PRICED, epochs=1)["Cost"][0] == "less than $0.01"


amounts = st.none() | st.integers(0, 10**9)
pasts = st.lists(
    st.builds(
        Past,
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
    data=st.builds(Data, examples=st.integers(0, 10**7), tokens=st.integers(0, 10**9), ratio=st.none()),
    epochs=st.none() | st.integers(1, 1000),
    past=pasts,
    model=st.sampled_from([TINY, FLASH, PRICED]),
)
def test_whatever_jobs_tell_a_range_goes_up_and_is_never_below_nothing(
    data: Data, epochs: int | None, past: list[Past], model: BaseModel
) -> None:
    made = estimate(data, model, epochs, past)
    for amount in filter(None, [made.steps, made.seconds, made.dollars, made.epochs]):
        assert 0 <= amount.range.low <= amount.range.high
    assert all(figure.value for figure in figures(made, model, on_engine=False))


@given(st.integers(1, 10**6), st.integers(1, 50), st.floats(0.001, 10))
def test_time_grows_with_the_work(tokens: int, epochs: int, pace: float) -> None:
    """Jobs of one pace give that pace, whatever their size."""
    past = [
        Past("x", seconds=tokens * epochs * times * pace, epochs=epochs, tokens=tokens * times)
        for times in (1, int(NEAR) * 3)
    ]
    made = estimate(Data(10, tokens), FLASH, epochs, past)
    assert made.seconds is not None and made.seconds.range.low == pytest.approx(tokens * epochs * pace)


def test_the_catalogue_recommends_what_the_engine_does() -> None:
    folder = Path(settings.BASE_DIR) / "engine" / "base" / "studio-tiny"
    kept = json.loads((folder / "base.json").read_text())["recommended"]
    assert TINY.recommended is not None
    told = (TINY.recommended.steps, TINY.recommended.batch_size, TINY.recommended.max_epochs)
    assert told == (kept["steps"], kept["batchSize"], kept["maxEpochs"])
    base = LocalBaseModel.from_folder(folder)
    for examples in (1, 7, 8, 9, 100, 480, 3200, 10**6):
        assert TINY.recommended.epochs(examples) == base.recommended_epochs(examples)
