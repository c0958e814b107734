"""The search for validation examples in the training data: 10,000 and 100,000 lines against 5,000.

Seconds are those of the processor, since a busy machine stretches the others unevenly.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

from jobs.datasets.leakage.detector import Leaks, find_leaks

VALIDATION = 5_000
FEW, MANY = 10_000, 100_000
AT_MOST = 12.0
SEED = 4
OPENINGS = ["", "Hi, ", "Hello, ", "Good morning. ", "Sorry to bother you, but ", "Quick question: "]
ASKING = [
    "how do I {verb} {thing} {when}?",
    "I would like to {verb} {thing} {when}, what do I have to do?",
    "why can't I {verb} {thing} {when}? It worked before.",
    "my {thing} does not arrive since {when}; can you {verb} it?",
    "I tried to {verb} {thing} with number {number} {when}, and it says error {number}.",
    "could somebody {verb} {thing} for order {number}? I need it {when}.",
]
VERBS = ["cancel", "change", "order", "return", "track", "replace", "activate", "top up", "freeze", "refund"]
ADJECTIVES = ["new", "second", "old", "broken", "virtual", "blue", "lost", "stolen", "expired", "prepaid"]
NOUNS = ["card", "account", "transfer", "bill", "parcel", "ticket", "phone", "router", "contract", "receipt"]
WHEN = ["today", "since Monday", "before the holidays", "at the weekend", "from abroad", "in the app"]


def message(dice: random.Random) -> str:
    thing = f"{dice.choice(ADJECTIVES)} {dice.choice(NOUNS)} {invent_name(dice)}"
    words = {"verb": dice.choice(VERBS), "thing": thing, "when": dice.choice(WHEN)}
    text = dice.choice(ASKING).format(number=dice.randrange(10**6), **words)
    return dice.choice(OPENINGS) + text + f" My name is {invent_name(dice)} {invent_name(dice)}."


def invent_name(dice: random.Random) -> str:
    syllables = [dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(dice.randrange(2, 5))]
    return "".join(syllables).capitalize()


def iter_rows(count: int, seed: int, copied: list[str] | None = None) -> Iterator[bytes]:
    """One line in a hundred is one of `copied`, every other one of them nearly."""
    dice = random.Random(seed)
    for number in range(count):
        text = message(dice)
        if copied and number % 100 == 0:
            text = dice.choice(copied) + dice.choice(["", " Thanks"])
        turns = [("user", text), ("model", dice.choice(NOUNS))]
        contents = [{"role": role, "parts": [{"text": said}]} for role, said in turns]
        yield json.dumps({"contents": contents}).encode() + b"\n"


def time_search(count: int) -> tuple[float, Leaks]:
    held = list(iter_rows(VALIDATION, SEED))
    asked = [json.loads(line)["contents"][0]["parts"][0]["text"] for line in held]
    training = list(iter_rows(count, SEED + 1, asked))
    start = time.process_time()
    found = find_leaks(training, held)
    return time.process_time() - start, found


def measure() -> Iterator[str]:
    few, _found = time_search(FEW)
    many, found = time_search(MANY)
    yield f"{FEW:,} lines against {VALIDATION:,}: {few:.2f} s"
    yield f"{MANY:,} lines against {VALIDATION:,}: {many:.2f} s, {found.exact} exact and {found.near} near"
    yield f"{many / few:.1f} times the time for ten times the lines"
    assert many <= AT_MOST * few, f"more than {AT_MOST:.0f} times the time"


def main() -> bool:
    try:
        for line in measure():
            print(f"leaks: {line}", flush=True)
    except AssertionError as failure:
        print(f"leaks: {failure}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(not main())
