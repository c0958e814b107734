"""What an operator tells the studio because no service does: prices and quotas."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from studio.projects import prices, quotas


def test_prices_are_pairs_or_a_file(tmp_path: Path) -> None:
    pairs = prices.read("gemini-2.5-flash=5.00, gemini-2.5-pro=25", "2026-11-01")
    file = tmp_path / "prices.json"
    file.write_text('{"gemini-2.5-flash": 5.00, "gemini-2.5-pro": 25}')
    assert pairs == prices.read(str(file), "2026-11-01")
    assert pairs.by_model == {"gemini-2.5-flash": 5.0, "gemini-2.5-pro": 25.0}
    assert prices.read("", "").by_model == {}


@pytest.mark.parametrize(
    ("text", "as_of", "words"),
    [
        ("gemini-2.5-flash=5", "", "VERTEX_PRICES_AS_OF: write the date"),
        ("gemini-2.5-flash=5", "yesterday", "VERTEX_PRICES_AS_OF"),
        ("gemini-2.5-flash=five", "2026-11-01", "not gemini-2.5-flash=five"),
        ("gemini-2.5-flash=-1", "2026-11-01", "VERTEX_PRICES"),
        ("gemini-2.5-flash=nan", "2026-11-01", "VERTEX_PRICES"),
        ("=5", "2026-11-01", "write MODEL=PRICE"),
        ("/nowhere/prices.json", "2026-11-01", "cannot be read as JSON"),
    ],
)
def test_a_wrong_price_names_its_variable(text: str, as_of: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        prices.read(text, as_of)


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text("[5]")
    with pytest.raises(ImproperlyConfigured, match="has to hold"):
        prices.read(str(tmp_path / "prices.json"), "2026-11-01")


def test_a_quota_is_everybodys_or_a_projects() -> None:
    told = quotas.read("2, my-project=4", "3")
    assert [told.of(place) for place in ("other", "my-project", "engine")] == [2, 4, 3]
    assert quotas.read("", "1").of("any") == 1
    assert quotas.read("engine=5", "1").of("engine") == 5


@pytest.mark.parametrize("text", ["0", "-1", "many", "my-project=", "1.5", "²"])
def test_a_quota_is_a_number_from_one_on(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CONCURRENT_JOBS"):
        quotas.read(text, "1")
