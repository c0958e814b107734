"""The tiny base: what its corpus must and must not hold, its tokenizer, its training, its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from engine.base import build
from engine.base.corpus import example, words
from engine.base.muon import orthogonal
from engine.base.tokenizer import train_tokenizer

BANKING77 = Path(__file__).parent.parent / "data" / "banking77"
# what UTF-8 is made of, but for the control characters
BYTES = {*range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF5)}


def words_of(text: str) -> list[str]:
    """Case-folded, split at every sign and at underscores."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def fours(text: str) -> Iterator[tuple[str, ...]]:
    found = words_of(text)
    return zip(found, found[1:], found[2:], found[3:], strict=False)


@pytest.fixture(scope="module")
def banking77() -> list[tuple[str, str]]:
    """Every message with its label."""
    files = [BANKING77 / f"{name}.jsonl" for name in ("train", "validation", "test", "train-all-intents")]
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        (line["contents"][0]["parts"][0]["text"], line["contents"][1]["parts"][0]["text"]) for line in lines
    ]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    random = Random("a sample for the tests")
    return [text for _ in range(20_000) for text in example(random).texts()]


@pytest.fixture(scope="module")
def label_pairs(banking77: list[tuple[str, str]]) -> set[tuple[str, str]]:
    return {pair for _, label in banking77 for pair in pairwise(words_of(label))}


def test_the_sample_of_banking77_is_whole(banking77: list[tuple[str, str]]) -> None:
    assert len(banking77) == 480 + 120 + 180 + 10_003
    assert len({label for _, label in banking77}) == 77


def test_no_four_words_in_a_row_are_those_of_a_message(
    banking77: list[tuple[str, str]], texts: list[str]
) -> None:
    known = {four for message, _ in banking77 for four in fours(message)}
    assert {four for text in texts for four in fours(text)} & known == set()


def test_no_two_words_in_a_row_are_those_of_a_label(
    label_pairs: set[tuple[str, str]], texts: list[str]
) -> None:
    assert {pair for text in texts for pair in pairwise(words_of(text))} & label_pairs == set()


def test_the_words_of_a_label_are_never_drawn_side_by_side(label_pairs: set[tuple[str, str]]) -> None:
    """Words drawn at random come from different topics, so both words of a label must be in the same one."""
    topics = {
        word: {topic for topic, listed in words.TOPICS.items() if word in listed}
        for listed in words.TOPICS.values()
        for word in listed
    }
    drawn = [pair for pair in label_pairs if pair[0] in topics and pair[1] in topics]
    assert drawn
    assert [
        pair for pair in drawn if topics[pair[0]] | topics[pair[1]] != topics[pair[0]] & topics[pair[1]]
    ] == []


def test_even_lists_of_nothing_but_the_words_of_labels_spell_no_label(
    label_pairs: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, made a hundred times likelier to show."""
    wanted = {word for pair in label_pairs for word in pair}
    for topic, listed in words.TOPICS.items():
        dense = [word for word in listed if word in wanted] * 3 + [w for w in listed if w not in wanted][:6]
        monkeypatch.setitem(words.TOPICS, topic, dense)
    random = Random("dense")
    dense_texts = [text for _ in range(10_000) for text in example(random).texts()]
    assert {pair for text in dense_texts for pair in pairwise(words_of(text))} & label_pairs == set()


def test_a_seed_gives_its_corpus() -> None:
    first, again, other = ([example(random) for _ in range(50)] for random in map(Random, (1, 1, 2)))
    assert first == again != other


def test_answers_hold_every_byte_of_text() -> None:
    random = Random(3)
    written = {byte for _ in range(60_000) for _, answer in example(random).turns for byte in answer.encode()}
    assert BYTES - written == set()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(vocabulary=400, examples=300, context=1024, seed=0)


def test_tokens_say_what_was_written(tokenizer: Any) -> None:
    random = Random(5)
    odd = ["".join(random.choice('_" aB1é猫') for _ in range(random.randint(1, 12))) for _ in range(500)]
    for text in odd + [text for _ in range(200) for text in example(random).texts()]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_word_is_the_same_token_in_a_label_and_in_a_sentence(tokenizer: Any) -> None:
    plain = tokenizer.tokenize("a label")[1:]
    assert tokenizer.tokenize("a_label")[2:] == plain
    assert tokenizer.tokenize('"label')[1:] == plain


def test_training_reads_what_the_chat_template_writes(tokenizer: Any) -> None:
    random = Random(7)
    conversations = [example(random) for _ in range(100)]
    for conversation, (ids, _) in zip(conversations, build.encode(tokenizer, conversations), strict=True):
        text = tokenizer.apply_chat_template(conversation.messages(), tokenize=False)
        assert tokenizer(text)["input_ids"] == ids


def test_answers_weigh_most(tokenizer: Any) -> None:
    conversation = example(Random(1))
    ((ids, weights),) = build.encode(tokenizer, [conversation])
    answers = [answer for _, answer in conversation.turns]
    full = [token for token, weight in zip(ids, weights, strict=True) if weight == 1.0]
    assert tokenizer.decode(full) == "".join(answer + "<|end|>" for answer in answers)


def test_muon_makes_a_matrix_orthogonal() -> None:
    for shape in ((20, 50), (50, 20)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        singular = torch.linalg.svdvals(orthogonal(matrix))
        assert 0.5 < singular.min() <= singular.max() < 1.5


def test_training_lowers_the_loss_and_repeats_itself(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BATCH", 8)
    monkeypatch.setattr(build, "WARMUP", 2)
    torch.set_num_threads(1)
    held_out = next(build.pools(tokenizer, Random(2), 16))

    def losses() -> list[float]:
        torch.manual_seed(0)
        model = build.new_model(tokenizer)
        before = build.evaluate(model, held_out)[0]
        build.pretrain(model, build.endless_batches(tokenizer, Random(1)), 8, None)
        return [before, build.evaluate(model, held_out)[0]]

    before, after = losses()
    assert after < 0.9 * before
    assert losses() == pytest.approx([before, after], rel=0.05)
