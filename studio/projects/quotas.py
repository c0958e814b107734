"""How many tuning jobs run at once: a Google Cloud project's quota, or the engine's limit (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured

ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Quotas:
    """`usual` applies to every Google Cloud project that is not in `by_place`."""

    usual: int = 1
    by_place: dict[str, int] = field(default_factory=dict)

    def limit_for(self, place: str) -> int:
        """`place` is a Google Cloud project's id, or "engine"."""
        return self.by_place.get(place, self.usual)


def parse_quotas(text: str, engine: str) -> Quotas:
    """Parse a number, `PLACE=NUMBER` pairs, or both, separated by commas; `engine` is ENGINE_JOBS."""
    pairs = [part.strip().rpartition("=") for part in text.split(",") if part.strip()]
    named = {place.strip(): parse_limit(number) for place, _equals, number in pairs}
    usual = named.pop("", 1)
    return Quotas(usual, {ENGINE: parse_limit(engine), **named})


def parse_limit(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ImproperlyConfigured(
            f"CONCURRENT_JOBS: write a number from 1 on, or PROJECT=NUMBER, not {text.strip()!r}."
        )
    return int(text)
