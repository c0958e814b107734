"""Names, and words that do not exist: what the model must copy rather than know."""

from __future__ import annotations

import string
from random import Random

from engine.base.build.corpus import lists

_LISTS = lists.read_words("names")
PEOPLE, CITIES, DAYS, MONTHS = (_LISTS[group] for group in ("people", "cities", "days", "months"))
CAPITALS = dict(lists.split_pairs(_LISTS["capitals"]))
_ONSETS, _VOWELS = _LISTS["onsets"], _LISTS["vowels"]
_PREFIXES, _SUFFIXES = _LISTS["prefixes"], _LISTS["suffixes"]
_CODAS = ["", "", "n", "x", "k", "r", "l", "nd", "st", "ck", "m", "t"]


def invent_word(random: Random) -> str:
    """A pronounceable word of one to three syllables that no dictionary has."""
    syllables = (random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(random.choice((1, 2, 2, 3))))
    return "".join(syllables) + random.choice(_CODAS)


def derive_word(random: Random) -> str:
    """An invented word with the endings of real ones, so that finishing a word in parts is exercised."""
    prefix = random.choice(_PREFIXES) if random.random() < 0.4 else ""
    return prefix + invent_word(random) + random.choice(_SUFFIXES)


def person(random: Random) -> str:
    return random.choice(PEOPLE) if random.random() < 0.6 else invent_word(random).capitalize()


def city(random: Random) -> str:
    return random.choice(CITIES) if random.random() < 0.6 else invent_word(random).capitalize()


def code(random: Random) -> str:
    """An address, a sum, a time, an order number: words with signs in them."""
    name, place, number = invent_word(random), invent_word(random), random.randint(1, 9999)
    return random.choice(
        (
            f"{name}@{place}.com",
            f"www.{place}.org/{name}?id={number}",
            f"{random.choice('$€£¥')}{number / 100:.2f}",
            f"{random.randint(0, 23)}:{random.randint(0, 59):02d}",
            f"{random.randint(1, 99)}%",
            f"#{number}",
            f"{random.choice(string.ascii_uppercase)}{random.choice(string.ascii_uppercase)}-{number}",
            f"+{random.randint(1, 99)} {number} {random.randint(100, 999)}",
            "".join(random.choice(string.punctuation) for _ in range(random.randint(1, 5))),
        )
    )
