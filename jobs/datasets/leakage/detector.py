"""Find validation examples that are also in the training data, exactly or nearly (pure).

Training data is read line by line: neither the memory nor the work for a line grows with its size.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from jobs.datasets.check.example import Conversation, Turn
from jobs.datasets.check.excerpt import cut_text
from jobs.datasets.check.json_line import UnreadableLine, parse_line
from jobs.datasets.check.lines import BOM, lines
from jobs.datasets.check.other_formats import convert_example
from jobs.datasets.leakage.similarity_index import LENGTH, SimilarityIndex, normalize_text

Kind = Literal["example", "prompt", "near"]
"""The same example, the same prompt with another answer, or a last user turn with a similarity of at least
0.8."""

MAX_PAIRS = 20
"""Pairs of each kind that are stored and shown: enough to see what leaks."""
EXCERPT = 160
"""Characters shown of a prompt: about two lines."""
MAX_SEEN_TEXTS = 2**18
"""Hashes of prompts that were already compared. Beyond this they are forgotten, to bound memory (about 25
MB)."""
BATCH = 2**16
"""Characters of training prompts that are compared at once, so that numpy works on long arrays."""
LONGEST, CHARACTERS = 20_000, 10_000_000
"""Characters of one prompt, and of all validation prompts together, that are compared. The index takes memory
by the latter; longer prompts are compared by their beginnings."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A validation line and the first training line with the same or a similar text."""

    kind: Kind
    training: int
    validation: int
    similarity: float
    training_text: str
    validation_text: str

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means the same text."""
        return int(100 * self.similarity)


@dataclass(frozen=True, slots=True)
class Leaks:
    """`training` and `validation` count the examples compared, `exact` and `near` the validation examples
    that leak (`answered` of the exact ones with their answer). The pairs are the first ones in the validation
    file. `compared` is the length that prompts were cut to for similarity, or 0 if none was cut."""

    training: int = 0
    validation: int = 0
    exact: int = 0
    answered: int = 0
    near: int = 0
    exact_pairs: list[Pair] = dataclasses.field(default_factory=list)
    near_pairs: list[Pair] = dataclasses.field(default_factory=list)
    compared: int = 0

    @property
    def leak_count(self) -> int:
        return self.exact + self.near

    @property
    def pairs(self) -> list[Pair]:
        return self.exact_pairs + self.near_pairs

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Leaks:
        """Also read results of older versions: missing fields get their defaults."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        for key in ("exact_pairs", "near_pairs"):
            known[key] = [Pair(**pair) for pair in data.get(key, [])]
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Example:
    """`whole` and `prompt` are digests; `asked` is the last user turn, cut to a little more than LONGEST."""

    line: int
    whole: bytes
    prompt: bytes
    asked: str


def find_leaks(training: Iterable[bytes], validation: Iterable[bytes]) -> Leaks:
    """Both files are given as chunks in order, of any sizes. Lines that are not examples are skipped."""
    return run_search(training, validation).build_result()


def find_leaked_lines(training: Iterable[bytes], validation: Iterable[bytes]) -> set[int]:
    """Return all lines of the validation file that leak."""
    return {pair.validation for pair in run_search(training, validation).found.values()}


def run_search(training: Iterable[bytes], validation: Iterable[bytes]) -> LeakSearch:
    made = LeakSearch(list(examples(validation)))
    for example in examples(training):
        made.add_training_example(example)
    if made.waiting:
        made.compare_queued()
    return made


class LeakSearch:
    """`found` has the strongest pair of each validation example, by the example's index."""

    def __init__(self, validation: list[Example]) -> None:
        self.validation = validation
        self.training = 0
        self.found: dict[int, Pair] = {}
        self.by_whole = index_by_key(example.whole for example in validation)
        self.by_prompt = index_by_key(example.prompt for example in validation)
        self.length, self.has_cut = compute_cut_length([len(example.asked) for example in validation]), False
        self.by_text = index_by_key(self.normalize_prompt(example) for example in validation)
        self.by_text.pop("", None)
        self.texts: list[str] = list(self.by_text)
        if self.texts:
            self.index = SimilarityIndex(self.texts)
        self.seen: set[int] = set()
        self.waiting: list[tuple[Example, str]] = []
        self.characters = 0

    def normalize_prompt(self, example: Example) -> str:
        text = normalize_text(example.asked)
        self.has_cut |= len(text) > self.length
        return text[: self.length]

    def add_training_example(self, example: Example) -> None:
        self.training += 1
        for place in self.by_whole.get(example.whole, ()):
            self.record_pair(place, "example", example, 1.0)
        for place in self.by_prompt.get(example.prompt, ()):
            self.record_pair(place, "prompt", example, 1.0)
        if self.texts:
            self.queue_for_similarity(example, self.normalize_prompt(example))

    def queue_for_similarity(self, example: Example, text: str) -> None:
        """Collect texts, to search for many similarities at once. A text is not searched for twice."""
        digest = hash(text)
        if not text or digest in self.seen:
            return
        if len(self.seen) == MAX_SEEN_TEXTS:
            self.seen.clear()
        self.seen.add(digest)
        self.waiting.append((example, text))
        self.characters += len(text)
        if self.characters > BATCH:
            self.compare_queued()

    def compare_queued(self) -> None:
        waiting, self.waiting, self.characters = self.waiting, [], 0
        for own, other, similarity in self.index.find_similar([text for _example, text in waiting]):
            for place in self.by_text[self.texts[other]]:
                self.record_pair(place, "near", waiting[own][0], similarity)
        if 2 * self.index.left.sum() < len(self.texts):
            self.rebuild_index()

    def rebuild_index(self) -> None:
        """Build the index again from the texts without a match: one match is enough for a text."""
        self.texts = [text for text, left in zip(self.texts, self.index.left, strict=True) if left]
        if self.texts:
            self.index = SimilarityIndex(self.texts)

    def record_pair(self, place: int, kind: Kind, example: Example, similarity: float) -> None:
        """Store the pair unless there is one of the same or a stronger kind."""
        strength = ("near", "prompt", "example").index
        known = self.found.get(place)
        if known and strength(kind) <= strength(known.kind):
            return
        own = self.validation[place]
        texts = (shorten_prompt(example.asked), shorten_prompt(own.asked))
        self.found[place] = Pair(kind, example.line, own.line, similarity, *texts)

    def build_result(self) -> Leaks:
        pairs = [pair for _place, pair in sorted(self.found.items())]
        exact = [pair for pair in pairs if pair.kind != "near"]
        near = [pair for pair in pairs if pair.kind == "near"]
        return Leaks(
            training=self.training,
            validation=len(self.validation),
            exact=len(exact),
            answered=sum(pair.kind == "example" for pair in exact),
            near=len(near),
            exact_pairs=exact[:MAX_PAIRS],
            near_pairs=near[:MAX_PAIRS],
            compared=self.length if self.has_cut else 0,
        )


def examples(chunks: Iterable[bytes]) -> Iterator[Example]:
    for line in lines(chunks):
        if line.too_long or not line.content.strip():
            continue
        try:
            value = parse_line(line.content.removeprefix(BOM) if line.number == 1 else line.content)
        except UnreadableLine:
            continue
        if isinstance(value, dict) and (found := parse_example(line.number, value)):
            yield found


def parse_example(line: int, value: dict[str, Any]) -> Example | None:
    conversation = Conversation.from_value(value if "contents" in value else convert_example(value))
    if len(conversation.turns) < 2 or conversation.turns[-1].role != "model":
        return None
    *turns, answer = conversation.turns
    asked = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    parts = [conversation.system, *map(serialize_turn, turns)]
    return Example(line, digest([*parts, serialize_turn(answer)]), digest(parts), asked[: LONGEST + 1])


def serialize_turn(turn: Turn) -> tuple[str, ...]:
    """Return a turn's role, its text, and its other parts as JSON."""
    beside = [json.dumps(part, sort_keys=True) for part in turn.parts if part.keys() != {"text"}]
    return (turn.role, turn.text, *beside)


def digest(parts: list[Any]) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


def index_by_key(keys: Iterable[Any]) -> dict[Any, list[int]]:
    """Return the places of each key."""
    found: dict[Any, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found


def compute_cut_length(lengths: list[int]) -> int:
    """Return the length to cut prompts to, so that they stay within LONGEST and CHARACTERS."""
    length = LONGEST
    while sum(min(length, each) for each in lengths) > CHARACTERS:
        length //= 2
    return max(length, LENGTH)


def shorten_prompt(text: str) -> str:
    short = cut_text(text[: 2 * EXCERPT])
    return short if len(short) <= EXCERPT else short[:EXCERPT] + "…"
