"""Settings that no service provides: prices and quotas."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from studio.projects import prices, quotas


def test_prices_are_read_from_pairs_or_a_file(tmp_path: Path) -> None:
    pairs = prices.parse_prices("gemini-2.5-flash=5.00, gemini-2.5-pro=25", "2026-11-01")
    file = tmp_path / "prices.json"
    file.write_text('{"gemini-2.5-flash": 5.00, "gemini-2.5-pro": 25}')
    assert pairs == prices.parse_prices(str(file), "2026-11-01")
    assert pairs.by_model == {"gemini-2.5-flash": 5.0, "gemini-2.5-pro": 25.0}
    assert prices.parse_prices("", "").by_model == {}


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
        prices.parse_prices(text, as_of)


def test_price_file_without_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text("[5]")
    with pytest.raises(ImproperlyConfigured, match="has to hold"):
        prices.parse_prices(str(tmp_path / "prices.json"), "2026-11-01")


def test_quota_applies_to_all_projects_or_one() -> None:
    told = quotas.parse_quotas("2, my-project=4", "3")
    assert [told.limit_for(place) for place in ("other", "my-project", "engine")] == [2, 4, 3]
    assert quotas.parse_quotas("", "1").limit_for("any") == 1
    assert quotas.parse_quotas("engine=5", "1").limit_for("engine") == 5


@pytest.mark.parametrize("text", ["0", "-1", "many", "my-project=", "1.5", "²"])
def test_quota_below_one_or_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CONCURRENT_JOBS"):
        quotas.parse_quotas(text, "1")
