"""Prices per million training tokens, set by an operator with a date; there is no other source (pure)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars by base model; `as_of` is the ISO date on which an operator read them."""

    by_model: dict[str, float] = field(default_factory=dict)
    as_of: str = ""


def parse_prices(text: str, as_of: str) -> Prices:
    """Parse `MODEL=PRICE` pairs separated by commas, or the path of a JSON file with the same."""
    if not text:
        return Prices()
    return Prices({model: parse_price(model, told) for model, told in read_entries(text)}, parse_date(as_of))


def read_entries(text: str) -> Iterable[tuple[str, Any]]:
    if "=" not in text:
        return read_price_file(Path(text)).items()
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return [(model.strip(), told) for model, _equals, told in pairs]


def read_price_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"VERTEX_PRICES: {path} cannot be read as JSON ({error}).") from None
    if not isinstance(found, dict):
        raise ImproperlyConfigured(f'VERTEX_PRICES: {path} has to hold {{"gemini-2.5-flash": 5.00}}.')
    return found


def parse_price(model: str, told: Any) -> float:
    try:
        price = float(told)
    except (TypeError, ValueError):
        price = math.nan
    if not model or not math.isfinite(price) or price < 0:
        raise ImproperlyConfigured(
            f"VERTEX_PRICES: write MODEL=PRICE, such as gemini-2.5-flash=5.00, not {model}={told}."
        )
    return price


def parse_date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ImproperlyConfigured(
            "VERTEX_PRICES_AS_OF: write the date of the prices, such as 2026-11-01."
        ) from None
