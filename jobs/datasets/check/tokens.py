"""Estimate how many tokens an example has, and calibrate the estimate by the service's own count (pure).

The estimate is a quarter of the text's bytes in UTF-8. A calibration is the ratio between the tokens that a
model's service counts in a few examples and their estimates.

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
"""Google's rule of thumb for English: "a token is equivalent to about 4 characters". Japanese, at three bytes
a character, has about one token a character, so bytes fit better than characters."""
SAMPLE_SIZE = 16
"""Examples whose tokens the service counts, with one request each: enough for a ratio, little for a quota."""
SAMPLE_POOL = 800
"""Usable examples at the beginning of the file from which those are taken, so that a file of 1 GB is not read
to its end."""
MAX_COUNTED_TOKENS = 8_000
"""Longer examples, by the estimate, are not sent: their requests would be large and say nothing new."""


@dataclass(frozen=True, slots=True)
class Countable:
    """The body of a countTokens request, and our estimate of its result."""

    body: dict[str, Any]
    estimate: int


def estimate_tokens(size: int) -> int:
    """Tokens of a text of `size` bytes in UTF-8, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def sample_for_counting(chunks: Iterable[bytes]) -> list[Countable]:
    """Return up to SAMPLE_SIZE examples, spread over the beginning of the file. The rest is not read."""
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
    """Return tokens per estimated token from pairs of (estimate, the service's count); None without any."""
    estimated, tokens = (sum(pair[place] for pair in counted) for place in (0, 1))
    return tokens / estimated if estimated and tokens else None
