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

from jobs.datasets.check.example import Conversation, check_conversation, system_instruction
from jobs.datasets.check.json_line import UnreadableLine, parse_line
from jobs.datasets.check.lines import BOM, lines

BYTES_PER_TOKEN = 4
SAMPLE_SIZE = 16
"""Examples whose tokens the service is asked for."""
SAMPLE_POOL = 800
"""Usable examples at the beginning of the file from which those are taken."""
MAX_COUNTED_TOKENS = 8_000
"""Tokens by the estimate; longer examples are not sent."""


@dataclass(frozen=True, slots=True)
class Countable:
    """A request of countTokens, and the estimate of what it counts."""

    body: dict[str, Any]
    estimate: int


def estimate_tokens(size: int) -> int:
    """Tokens of a text of `size` bytes in UTF-8, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def sample_for_counting(chunks: Iterable[bytes]) -> list[Countable]:
    """Up to 16 examples, spread over the beginning of the file. Not the whole of it is read."""
    found = list(islice(countable(chunks), SAMPLE_POOL))
    return found[:: -(-len(found) // SAMPLE_SIZE)] if found else []


def countable(chunks: Iterable[bytes]) -> Iterator[Countable]:
    for line in lines(chunks):
        try:
            conversation = Conversation.from_value(parse_line(line.content.removeprefix(BOM)))
        except UnreadableLine:
            continue
        sound = all(finding.severity != "error" for finding in check_conversation(conversation))
        text_alone = set(conversation.modalities) == {"text"}
        if sound and text_alone and conversation.size <= BYTES_PER_TOKEN * MAX_COUNTED_TOKENS:
            yield Countable(build_count_request(conversation.value), estimate_tokens(conversation.size))


def build_count_request(value: dict[str, Any]) -> dict[str, Any]:
    instruction = system_instruction(value)
    asked = {"contents": value["contents"]}
    return asked if instruction is None else {**asked, "systemInstruction": instruction}


def compute_token_ratio(counted: Sequence[tuple[int, int]]) -> float | None:
    """Tokens per estimated one, from pairs of (estimate, the service's count); None without any."""
    estimated, tokens = (sum(pair[place] for pair in counted) for place in (0, 1))
    return tokens / estimated if estimated and tokens else None
