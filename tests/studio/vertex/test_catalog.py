"""The model catalog is edited by hand, so its consistency is tested."""

from __future__ import annotations

from datetime import date

import pytest

from studio.vertex import catalog

EVERY = {model.id: model for backend in ("google", "engine") for model in catalog.models(backend)}


def test_every_model_is_listed_once_per_backend() -> None:
    for backend in ("google", "engine"):
        ids = [model.id for model in catalog.models(backend)]
        assert len(ids) == len(set(ids))


def test_each_backend_offers_its_own_models() -> None:
    google = {model.id for model in catalog.models("google")}
    assert {model.id for model in catalog.models("engine")} == google | {"studio-tiny"}
    assert google >= {"gemini-1.5-pro-002", "gemini-1.5-flash-002", "gemini-1.0-pro-002", "gemini-2.5-flash"}
    assert catalog.models("nowhere") == ()


@pytest.mark.parametrize("id", EVERY)
def test_entry_is_complete_and_consistent(id: str) -> None:
    model = EVERY[id]
    assert model.title
    assert model.description("en") != model.description("ja-JP")
    assert model.stage in {"GA", "preview", "retired"}
    assert set(model.backends) <= {"google", "engine"}
    assert model.regions
    assert set(model.adapter_sizes) <= set(catalog.ADAPTER_SIZES.values())
    assert model.adapter_sizes == tuple(sorted(model.adapter_sizes))
    assert model.default_adapter_size is None or model.default_adapter_size in model.adapter_sizes
    assert model.tokens_per_example is None or model.tokens_per_example >= 1024
    assert 0 < model.min_training_examples <= model.recommended_training_examples
    assert model.max_validation_examples > 0
    assert "text" in model.modalities
    assert model.price is None
    assert date.fromisoformat(model.as_of) <= date(2026, 11, 30)
    assert model.source


def test_a_gemini_name_on_the_engine_is_a_stand_in_with_the_limits_of_its_base() -> None:
    here, there = (
        catalog.find_model("gemini-1.5-pro-002", "engine"),
        catalog.find_model("gemini-1.5-pro-002", "google"),
    )
    tiny = catalog.find_model("studio-tiny")
    assert here and there and tiny
    assert (here.stand_in, there.stand_in, tiny.stand_in) == ("studio-tiny", None, None)
    assert (here.tokens_per_example, there.tokens_per_example) == (tiny.tokens_per_example, 32_000)
    assert here.adapter_sizes == there.adapter_sizes == (1, 4)


def test_the_models_of_the_reference_page_are_marked_retired_and_come_last() -> None:
    stages = [model.retired for model in catalog.models("google")]
    assert stages == sorted(stages)
    assert all(
        model.retired
        for model in catalog.models("google")
        if model.id.startswith(("gemini-1.", "gemini-2.0"))
    )


def test_newest_models_serve_in_other_locations_than_they_tune_in() -> None:
    model = catalog.find_model("gemini-3.5-flash", "google")
    assert model
    assert model.regions == ("us-central1", "europe-west4")
    assert model.serving_locations == ("us", "eu")


def test_get_returns_only_models_of_the_backend() -> None:
    assert catalog.find_model("studio-tiny", "google") is None
    assert catalog.find_model("studio-tiny") == catalog.find_model("studio-tiny", "engine")
    assert catalog.find_model("gemini-0.9") is None


def test_adapter_size_names_and_ranks_convert_both_ways() -> None:
    assert catalog.ADAPTER_SIZES["ADAPTER_SIZE_FOUR"] == 4
    assert catalog.ADAPTER_SIZE_NAMES[2] == "ADAPTER_SIZE_TWO"
    assert len(catalog.ADAPTER_SIZE_NAMES) == len(catalog.ADAPTER_SIZES) == 6
