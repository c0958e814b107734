"""The tiny base: what its corpus must and must not hold, its tokenizer, its training, its folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.base.build import pretraining
from engine.base.build.corpus import words, write_copying_example, write_example
from engine.base.build.corpus.conversation import say
from engine.base.build.corpus.disguise import disguise_words, splice_words
from engine.base.build.muon import orthogonalize
from engine.base.build.tokenizer import train_tokenizer
from engine.training.chat_template import ChatTemplate
from tests.paths import BANKING77, SAMPLES, STUDIO_TINY

pytestmark = pytest.mark.engine

OWN_TASKS = ("captain_byte", "table_bookings", "orders_ja")
# what UTF-8 is made of, but for the control characters
BYTES = {*range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF5)}


def words_of(text: str) -> list[str]:
    """Case-folded, split at every sign and at underscores."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def four_word_runs(text: str, numbers: bool = True) -> Iterator[tuple[str, ...]]:
    found = [word for word in words_of(text) if numbers or not word.isdecimal()]
    return zip(found, found[1:], found[2:], found[3:], strict=False)


def japanese_eight_grams(text: str) -> Iterator[str]:
    """Eight signs in a row, without digits, spaces and marks."""
    bare = "".join(sign for sign in text if sign.isalpha() and not sign.isascii())
    return (bare[start : start + 8] for start in range(len(bare) - 7))


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
    written = chain(
        (write_example(random) for _ in range(20_000)), (write_copying_example(random) for _ in range(5_000))
    )
    return [text for conversation in written for text in conversation.texts()]


@pytest.fixture(scope="module")
def label_pairs(banking77: list[tuple[str, str]]) -> set[tuple[str, str]]:
    return {pair for _, label in banking77 for pair in pairwise(words_of(label))}


def test_banking77_sample_is_complete(banking77: list[tuple[str, str]]) -> None:
    assert len(banking77) == 480 + 120 + 180 + 10_003
    assert len({label for _, label in banking77}) == 77


def test_corpus_shares_no_four_word_run_with_a_message(
    banking77: list[tuple[str, str]], texts: list[str]
) -> None:
    known = {four for message, _ in banking77 for four in four_word_runs(message)}
    assert {four for text in texts for four in four_word_runs(text)} & known == set()


@pytest.mark.parametrize("task", OWN_TASKS)
def test_corpus_does_not_contain_the_wording_of_our_tasks(task: str, texts: list[str]) -> None:
    lines = [json.loads(line) for line in (SAMPLES / task / "test.jsonl").read_text("utf-8").splitlines()]
    asked = [line["contents"][0]["parts"][0]["text"] for line in lines]
    pieces = japanese_eight_grams if task == "orders_ja" else partial(four_word_runs, numbers=False)
    known = {piece for text in texts for piece in pieces(text)}
    assert {piece for text in asked for piece in pieces(text)} & known == set()


def test_corpus_shares_no_word_pair_with_a_label(label_pairs: set[tuple[str, str]], texts: list[str]) -> None:
    assert {pair for text in texts for pair in pairwise(words_of(text))} & label_pairs == set()


def test_label_words_are_never_drawn_side_by_side(label_pairs: set[tuple[str, str]]) -> None:
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


def test_lists_made_only_of_label_words_spell_no_label(
    label_pairs: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, made a hundred times likelier to show."""
    wanted = {word for pair in label_pairs for word in pair}
    for topic, listed in words.TOPICS.items():
        dense = [word for word in listed if word in wanted] * 3 + [w for w in listed if w not in wanted][:6]
        monkeypatch.setitem(words.TOPICS, topic, dense)
    random = Random("dense")
    dense_texts = [text for _ in range(10_000) for text in write_example(random).texts()]
    assert {pair for text in dense_texts for pair in pairwise(words_of(text))} & label_pairs == set()


def test_text_shared_by_question_and_answer_is_disguised_in_both() -> None:
    told = say("Answer with item: ITEM.", "Ana wants the lamp, says ANA. ランプ", "Ana: item lamp ランプ")
    for seed in range(50):
        found = disguise_words(told, Random(seed))
        if found is None:
            continue
        (question, answer), words = found.turns[0], found.turns[0][1].split()
        assert found.system == told.system and words[1] == "item"
        for word in (words[0][:-1], words[2], words[3]):
            assert re.search(rf"\b{word}\b", question), (question, answer)
        assert words[0][0].isupper() and f"says {words[0][:-1].upper()}" in question
    assert disguise_words(say("", "Is it far?", "No."), Random(1)) is None


def test_spliced_word_is_a_word_outside_the_lists() -> None:
    random = Random(2)
    made = {splice_words(random) for _ in range(2_000)}
    listed = {word for topic in words.TOPICS.values() for word in topic}
    assert len(made) > 1_500 and not made & listed
    assert all(re.fullmatch("[a-z'é -]{3,12}", word) for word in made)


def test_same_seed_gives_the_same_corpus() -> None:
    for write in (write_example, write_copying_example):
        first, again, other = ([write(random) for _ in range(50)] for random in map(Random, (1, 1, 2)))
        assert first == again != other


def test_corpus_answers_cover_every_text_byte() -> None:
    random = Random(3)
    written = {
        byte for _ in range(60_000) for _, answer in write_example(random).turns for byte in answer.encode()
    }
    assert BYTES - written == set()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(vocabulary=400, examples=300, context=1024, seed=0)


def test_tokens_decode_to_the_original_text(tokenizer: Any) -> None:
    random = Random(5)
    odd = ["".join(random.choice('_" aB1é猫') for _ in range(random.randint(1, 12))) for _ in range(500)]
    for text in odd + [text for _ in range(200) for text in write_example(random).texts()]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize(
    "text", ["a_label", '"label"', "label", "「label」", "x\nlabel", "{label: 1}", "3label"]
)
def test_word_has_the_same_tokens_in_any_position(tokenizer: Any, text: str) -> None:
    plain = tokenizer.tokenize("a label")[2:]
    tokens = tokenizer.tokenize(text)
    assert plain in [tokens[start : start + len(plain)] for start in range(len(tokens))]


def test_japanese_character_has_the_same_tokens_in_any_position(tokenizer: Any) -> None:
    for before, after in (("", ""), ("と", "様"), ("x", "x"), ("「", "」")):
        tokens = tokenizer.tokenize(f"{before}佐藤{after}")
        plain = [token for sign in "佐藤" for token in tokenizer.tokenize(f"1{sign}")[3:]]
        assert plain in [tokens[start : start + len(plain)] for start in range(len(tokens))]


def test_training_uses_the_text_of_the_chat_template(tokenizer: Any) -> None:
    random = Random(7)
    conversations = [write_example(random) for _ in range(100)]
    for conversation, (ids, _) in zip(
        conversations, pretraining.encode(tokenizer, conversations), strict=True
    ):
        text = tokenizer.apply_chat_template(conversation.messages(), tokenize=False)
        assert tokenizer(text)["input_ids"] == ids


def test_answer_tokens_have_the_largest_weight(tokenizer: Any) -> None:
    conversation = write_example(Random(1))
    ((ids, weights),) = pretraining.encode(tokenizer, [conversation])
    answers = [answer for _, answer in conversation.turns]
    full = [token for token, weight in zip(ids, weights, strict=True) if weight == 1.0]
    assert tokenizer.decode(full) == "".join(answer + "<|end|>" for answer in answers)


def test_muon_makes_a_matrix_orthogonal() -> None:
    for shape in ((20, 50), (50, 20)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        singular = torch.linalg.svdvals(orthogonalize(matrix))
        assert 0.5 < singular.min() <= singular.max() < 1.5


@pytest.mark.slow
def test_training_lowers_the_loss_and_is_reproducible(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "BATCH", 8)
    monkeypatch.setattr(pretraining, "WARMUP", 2)
    torch.set_num_threads(1)
    held_out = next(pretraining.iter_batch_pools(tokenizer, Random(2), 16, write_example))

    def losses() -> list[float]:
        torch.manual_seed(0)
        model = pretraining.new_model(tokenizer)
        before = pretraining.evaluate(model, held_out)[0]
        pretraining.pretrain(
            model,
            pretraining.endless_batches(tokenizer, Random(1), write_example),
            pretraining.LearningRateSchedule(8),
        )
        return [before, pretraining.evaluate(model, held_out)[0]]

    before, after = losses()
    assert after < 0.9 * before
    assert losses() == pytest.approx([before, after], rel=0.05)


@pytest.mark.slow
def test_build_in_one_run_equals_build_in_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second stage begins with what a file holds of the first, rotary frequencies in full."""
    for name, small in {"TOKENIZER_EXAMPLES": 3000, "BATCH": 8, "POOL": 2, "HELD_OUT": 16}.items():
        monkeypatch.setattr(pretraining, name, small)

    def run_build(name: str, *options: str) -> bytes:
        monkeypatch.setattr("sys.argv", ["build", "--out", str(tmp_path / name), *options])
        pretraining.main()
        return b"".join(file.read_bytes() for file in sorted((tmp_path / name).iterdir()))

    whole = run_build("whole", "--steps", "2", "--copying", "2")
    first = run_build("first", "--steps", "2", "--copying", "0")
    assert first != whole == run_build("second", "--first", str(tmp_path / "first"), "--copying", "2")


def test_committed_folder_matches_base_json() -> None:
    about = json.loads((STUDIO_TINY / "base.json").read_text())
    weights = (STUDIO_TINY / "model.safetensors").read_bytes()
    model: Any = AutoModelForCausalLM.from_pretrained(STUDIO_TINY, local_files_only=True)
    assert about["sha256"] == hashlib.sha256(weights).hexdigest()
    assert about["parameters"] == model.num_parameters() <= 3_000_000
    assert about["contextTokens"] == model.config.max_position_embeddings
    assert about["recommended"] == pretraining.RECOMMENDED
    assert about["sha256"] in (STUDIO_TINY.parent / "README.md").read_text(encoding="utf-8")


def test_committed_tokenizer_ends_turns_and_only_appends_to_a_conversation() -> None:
    chat = ChatTemplate(STUDIO_TINY)
    random = Random(11)
    assert chat.stops == set(chat.encode_text("<|end|>")) and chat.pad not in chat.stops
    for _ in range(50):
        messages: Any = write_example(random).messages()
        whole = chat.encode_text(chat.render(messages, prompt=False))
        for at, message in enumerate(messages):
            if message["role"] == "assistant":
                prompt = chat.encode_prompt(messages[:at])
                assert whole[: len(prompt)] == prompt
                answer = chat.encode_text(message["content"])
                assert whole[len(prompt) : len(prompt) + len(answer)] == answer


def test_the_committed_tokenizer_streams() -> None:
    """Each token adds to the text and takes nothing back, once characters are complete."""
    chat = ChatTemplate(STUDIO_TINY)
    tokens = chat.encode_text('lost_my_key {"a_b": "c d", "名前": "花子様"}')
    said = [chat.decode_tokens(tokens[:end]).rstrip("\ufffd") for end in range(len(tokens) + 1)]
    assert all(after.startswith(before) for before, after in pairwise(said))
    assert said[-1] == 'lost_my_key {"a_b": "c d", "名前": "花子様"}'


def test_committed_files_contain_nothing_about_the_build_machine() -> None:
    for file in STUDIO_TINY.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"name_or_path|cache_dir|/(tmp|home|root|work)/", text)
