"""Leaks are found exactly: what a comparison of every line with every line finds, and nothing else."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.leakage import detector, similarity_index
from jobs.datasets.leakage.detector import MAX_PAIRS, Leaks, find_leaked_lines, find_leaks
from jobs.datasets.leakage.similarity_index import SimilarityIndex, normalize_text
from tests.bench.leaks import iter_rows, message
from tests.paths import SAMPLES


def line(asked: str, answer: str = "yes", system: str = "", **more: Any) -> bytes:
    turns = [("user", asked), ("model", answer)]
    contents = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    instruction = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    return json.dumps({**instruction, "contents": contents, **more}, ensure_ascii=False).encode() + b"\n"


def shingle(text: str) -> frozenset[str]:
    """Written apart from the product: every five characters, or the text itself."""
    return frozenset(text[at : at + 5] for at in range(max(1, len(text) - 4)))


def is_similar(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return 10 * len(ours & theirs) >= 8 * len(ours | theirs)


def find_by_brute_force(training: list[str], validation: list[str]) -> dict[int, tuple[str, int]]:
    """Validation line -> (kind, first training line), by comparing all with all; answers are the same."""
    found = {}
    cut = [shingle(normalize_text(text)) for text in training]
    for number, asked in enumerate(validation, 1):
        own = shingle(normalize_text(asked))
        same = [at for at, text in enumerate(training, 1) if text == asked]
        near = [at for at, theirs in enumerate(cut, 1) if normalize_text(asked) and is_similar(own, theirs)]
        if same or near:
            found[number] = ("example", same[0]) if same else ("near", near[0])
    return found


def find_pairs(training: list[str], validation: list[str]) -> dict[int, tuple[str, int]]:
    search = detector.run_search(map(line, training), map(line, validation))
    assert search.build_result().leak_count == len(search.found)
    return {pair.validation: (pair.kind, pair.training) for pair in search.found.values()}


def read_prompts(name: str) -> list[str]:
    lines = (SAMPLES / name).read_text().splitlines()
    return [json.loads(text)["contents"][-2]["parts"][0]["text"] for text in lines]


# Few letters and long runs, so that many texts are alike and many nearly are.
WORDS = st.sampled_from(
    ["refund", "card", "a", "ab", "abcab", " ", "  ", "CARD", "?", "返金", "🎉", "ｃａｒｄ", "\x00"]
)
TEXTS = st.lists(WORDS, max_size=12).map("".join) | st.text(max_size=12)
MANY = st.lists(TEXTS, max_size=30)


@given(MANY, MANY)
def test_small_sets_equal_brute_force(training: list[str], validation: list[str]) -> None:
    assert find_pairs(training, validation) == find_by_brute_force(training, validation)


@given(st.randoms(use_true_random=False), st.integers(0, 3), st.integers(1, 60), st.integers(0, 400))
def test_edited_copies_equal_brute_force(dice: random.Random, common: int, edits: int, template: int) -> None:
    """Rows that share a template of many lengths, with copies that are edited more and more: both ways of
    the search, and many pairs close to the limit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity_index, "FEWEST", common)
        patch.setattr(detector, "BATCH", dice.choice([1, 300, 2**16]))
        shared = "".join(dice.choices("abcdefgh ", k=template))
        validation = [shared + message(dice) for _ in range(25)]
        training = [edit_text(dice, dice.choice(validation), dice.randrange(edits)) for _ in range(40)]
        assert find_pairs(training, validation) == find_by_brute_force(training, validation)


def edit_text(dice: random.Random, text: str, edits: int) -> str:
    characters = list(text)
    for _ in range(edits):
        at = dice.randrange(len(characters))
        characters[at : at + dice.randrange(2)] = dice.choice("xyz")
    return "".join(characters)


@pytest.mark.parametrize("name", ["banking77", "captain_byte", "orders_ja", "table_bookings"])
def test_samples_equal_brute_force(name: str) -> None:
    training = read_prompts(f"{name}/train.jsonl")
    validation = read_prompts(f"{name}/validation.jsonl")
    kinds = {number: kind for number, (kind, _line) in find_pairs(training, validation).items()}
    assert {number for number in kinds if kinds[number] == "near"} == {
        number
        for number, (kind, _line) in find_by_brute_force(training, validation).items()
        if kind == "near"
    }


def test_a_larger_set_equals_brute_force() -> None:
    dice = random.Random(8)
    validation = [message(dice) for _ in range(200)]
    training = [edit_text(dice, dice.choice(validation), dice.randrange(30)) for _ in range(250)]
    found = find_pairs(training, validation)
    assert found == find_by_brute_force(training, validation)
    assert 20 < len(found) < 180


NEAR = {
    "a word more": (
        "How do I top up my new card in the app today?",
        "So how do I top up my new card in the app today?",
    ),
    "capitals and spaces": ("How do I  TOP UP\nmy card?", "how do i top up my card?"),
    "full width": ("カード番号１２３を変更したい", "カード番号123を変更したい"),
    "japanese": (
        "注文した商品がまだ届かないのですが、いつ届きますか。",
        "注文した商品がまだ届かないのですが、いつ届きますか?",
    ),
    "emoji": ("my card is lost 😱😱 what now, I am abroad?", "my card is lost 😱😱 what now, I am abroad"),
    "short": ("yes", "YES"),
    "one character": ("👍", "👍 "),
}
APART = {
    "short": ("yes", "yes?"),
    "a sign that matters": ("3 + 4 = ?", "3 - 4 = ?"),
    "other words": ("How do I top up my card?", "How do I close my account?"),
    "japanese": ("注文を取り消したい", "注文を確認したい"),
    "no text": (" ", "\n"),
}


@pytest.mark.parametrize("name", NEAR)
def test_near_copies_are_found(name: str) -> None:
    training, validation = NEAR[name]
    found = find_leaks([line("something else"), line(training)], [line("another"), line(validation)])
    assert (found.exact, found.near) == (0, 1)
    assert (found.near_pairs[0].training, found.near_pairs[0].validation) == (2, 2)
    assert 0.8 <= found.near_pairs[0].similarity <= 1


@pytest.mark.parametrize("name", APART)
def test_different_prompts_are_not_found(name: str) -> None:
    training, validation = APART[name]
    assert find_leaks([line(training)], [line(validation)]).leak_count == 0


def test_exact_prompts_are_found_with_same_and_other_answers() -> None:
    training = [line("How are you?", "fine"), line("Who are you?", "me"), line("How are you?", "bad")]
    found = find_leaks(training, [line("Who are you?", "you"), line("How are you?", "bad"), line("x")])
    assert (found.exact, found.answered, found.near, found.leak_count) == (2, 1, 0, 2)
    assert [(pair.kind, pair.training, pair.validation) for pair in found.exact_pairs] == [
        ("prompt", 2, 1),
        ("example", 3, 2),
    ]


def test_other_system_instruction_is_a_near_match() -> None:
    found = find_leaks([line("How are you?", system="English")], [line("How are you?", system="Japanese")])
    assert (found.exact, found.near, found.near_pairs[0].similarity) == (0, 1, 1.0)


def test_file_parts_distinguish_examples() -> None:
    def file_line(uri: str) -> bytes:
        parts = [{"fileData": {"fileUri": uri, "mimeType": "image/png"}}]
        answer = {"role": "model", "parts": [{"text": "a cat"}]}
        return json.dumps({"contents": [{"role": "user", "parts": parts}, answer]}).encode() + b"\n"

    assert find_leaks([file_line("gs://a/1.png")], [file_line("gs://a/2.png")]).leak_count == 0
    assert find_leaks([file_line("gs://a/1.png")], [file_line("gs://a/1.png")]).exact == 1


def test_broken_lines_are_skipped() -> None:
    broken = [b"\n", b"{]\n", b"3\n", b"{}\n", b'{"contents": 1}\n', b"\xff\n", b"x" * (2**20 + 1) + b"\n"]
    other = (
        b'{"messages": [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "yes"}]}\n'
    )
    found = find_leaks([*broken, other], [b"\xef\xbb\xbf" + line("Hi there"), *broken])
    assert (found.training, found.validation) == (1, 1)
    assert (found.exact_pairs[0].training, found.exact_pairs[0].validation) == (8, 1)


@pytest.mark.parametrize("training, validation", [([], []), ([line("a")], []), ([], [line("a")])])
def test_empty_files_have_no_leaks(training: list[bytes], validation: list[bytes]) -> None:
    found = find_leaks(training, validation)
    assert (found.training, found.validation, found.leak_count) == (len(training), len(validation), 0)


def test_first_pairs_are_kept_and_all_are_counted() -> None:
    asked = [f"Where is parcel number {number}{number}{number} now?" for number in range(100, 160)]
    same = [line(text) for text in asked[:30]]
    nearly = [line(text + "!") for text in asked[30:]]
    found = find_leaks([*same, *nearly], [line(text) for text in asked])
    assert (found.exact, found.near) == (30, 30)
    assert (len(found.exact_pairs), len(found.near_pairs)) == (MAX_PAIRS, MAX_PAIRS)
    everything = find_leaked_lines([*same, *nearly], [line(text) for text in asked])
    assert everything == set(range(1, 61))


def test_identical_rows_are_compared_fast() -> None:
    """A template that fills every prompt makes each line like each other."""
    template = "Read the message below and name its intent in one word, as in the list that you know. " * 3
    texts = [template + str(number) for number in range(3000)]
    assert find_leaks(map(line, texts[:1500]), map(line, texts[1500:])).near == 1500


def test_leaks_survive_json_round_trip() -> None:
    found = find_leaks(
        [line("How are you?"), line("Where are you all?")], [line("How are you?"), line("where are you all?")]
    )
    assert (found.exact, found.near) == (1, 1)
    assert Leaks.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Leaks.from_json({}) == Leaks()


def test_excerpts_are_storable() -> None:
    found = find_leaks([line("a\x00b" + "c" * 500)], [line("a\x00b" + "c" * 500)])
    assert found.exact_pairs[0].validation_text == "a\ufffdb" + "c" * 157 + "…"


def test_very_long_prompts_are_cut_before_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "LONGEST", 200)
    monkeypatch.setattr(detector, "CHARACTERS", 1000)
    dice = random.Random(3)
    texts = ["".join(dice.choices("abcdefgh", k=200)) for _ in range(10)]
    found = find_leaks([line(texts[3] + "xxxxxxxxxx")], map(line, texts))
    assert (found.compared, found.near) == (100, 1)


def test_single_huge_prompt_is_cut_before_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "LONGEST", 100)
    book = "".join(random.Random(3).choices("abcdefgh", k=1000))
    found = find_leaks([line(book[:100] + "x" * 900)], [line(book), line("short")])
    assert (found.compared, found.near) == (100, 1)
    assert find_leaks([line("a")], [line("b" * 100)]).compared == 0


def test_memory_does_not_grow_with_training_data() -> None:
    def generate_training() -> Iterator[bytes]:
        yield from iter_rows(1000, 1)

    held = list(iter_rows(50, 2))
    find_leaks(iter_rows(100, 3), held)
    tracemalloc.start()
    find_leaks(generate_training(), held)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


def test_index_finds_a_text_once() -> None:
    index = SimilarityIndex(["how are you", "who are you"])
    assert list(index.find_similar(["how are you", "how are you"])) == [(0, 0, 1.0)]
    assert not list(index.find_similar(["how are you"]))
