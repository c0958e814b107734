"""How many tokens an example has: a local estimate, and what the service's own count makes of it (pure).

The estimate is a quarter of the text's bytes in UTF-8. A calibration is the ratio of the tokens that a
model's service counted in a few examples to their estimates.

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/get-token-count
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jobs.datasets.check.example import Conversation, problems_of, system_instruction
from jobs.datasets.check.json_line import Unreadable, parse
from jobs.datasets.check.lines import BOM, lines

BYTES_PER_TOKEN = 4
COUNTED = 16
"""Examples whose tokens the service is asked for."""
LOOKED_AT = 800
"""Usable examples at the beginning of the file from which those are taken."""
LONGEST_COUNTED = 8_000
"""Tokens by the estimate; longer examples are not sent."""


@dataclass(frozen=True, slots=True)
class Countable:
    """A request of countTokens, and the estimate of what it counts."""

    body: dict[str, Any]
    estimate: int


def estimate(size: int) -> int:
    """Tokens of a text of `size` bytes in UTF-8, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def sample_for_counting(chunks: Iterable[bytes]) -> list[Countable]:
    """Up to 16 examples, spread over the beginning of the file. Not the whole of it is read."""
    found = list(islice(countable(chunks), LOOKED_AT))
    return found[:: -(-len(found) // COUNTED)] if found else []


def countable(chunks: Iterable[bytes]) -> Iterator[Countable]:
    for line in lines(chunks):
        try:
            conversation = Conversation.of(parse(line.content.removeprefix(BOM)))
        except Unreadable:
            continue
        sound = all(finding.severity != "error" for finding in problems_of(conversation))
        text_alone = set(conversation.modalities) == {"text"}
        if sound and text_alone and conversation.size <= BYTES_PER_TOKEN * LONGEST_COUNTED:
            yield Countable(request(conversation.value), estimate(conversation.size))


def request(value: dict[str, Any]) -> dict[str, Any]:
    instruction = system_instruction(value)
    asked = {"contents": value["contents"]}
    return asked if instruction is None else {**asked, "systemInstruction": instruction}


def calibrate(counted: Sequence[tuple[int, int]]) -> float | None:
    """Tokens per estimated one, from pairs of (estimate, the service's count); None without any."""
    estimated, tokens = (sum(pair[place] for pair in counted) for place in (0, 1))
    return tokens / estimated if estimated and tokens else None
