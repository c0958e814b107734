"""What changed between two files: exact on multisets of examples, in any order and spelling."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.check.report import Message
from jobs.datasets.diff import matching
from jobs.datasets.diff.csv_export import changed_rows, match_files
from jobs.datasets.diff.diff import MAX_CHANGES, Answer, Diff, Source, diff_files
from jobs.datasets.diff.fingerprints import MAX_BROKEN, fingerprint_file
from tests.jobs.datasets.check.corpus import CASES
from tests.jobs.datasets.check.lines import COMMA, GOOD, UNANSWERED, example, line, openai_chat

SYSTEM = {"systemInstruction": {"parts": [{"text": "Be brief."}]}}
Pair = tuple[str, str]
texts = st.sampled_from(["a", "b", "c", "one\nline", "“quoted”", "日本語", "…" * 30])
files = st.lists(st.tuples(texts, texts), max_size=25)


def content(pairs: Iterable[Pair]) -> bytes:
    return b"".join(line(example(question, answer)) for question, answer in pairs)


def source(*chunks: bytes) -> Source:
    return lambda: iter(chunks)


def compute_diff(before: bytes, after: bytes) -> Diff:
    """As it is read back from a row."""
    found = diff_files(source(before), source(after))
    return Diff.from_json(json.loads(json.dumps(found.to_json())))


def list_changes(before: bytes, after: bytes) -> list[tuple[Any, ...]]:
    both = source(before), source(after)
    return list(changed_rows(match_files(*both), *both))


def conversation_line(*turns: str, **more: Any) -> bytes:
    contents = [
        {"role": "model" if place % 2 else "user", "parts": [{"text": text}]}
        for place, text in enumerate(turns)
    ]
    return line({"contents": contents, **more})


@given(files, files)
def test_applying_the_diff_to_the_old_file_gives_the_new_one(before: list[Pair], after: list[Pair]) -> None:
    made = Counter(before)
    for kind, _first, _line, _system, asked, old, new in list_changes(content(before), content(after)):
        if kind != "added":
            assert made[asked, old] > 0, "only what is there can go"
            made[asked, old] -= 1
        if kind != "removed":
            made[asked, new] += 1
    assert +made == Counter(after)


@given(files, files)
def test_unchanged_examples_are_not_listed(before: list[Pair], after: list[Pair]) -> None:
    found = compute_diff(content(before), content(after))
    assert found.counts["unchanged"] == (Counter(before) & Counter(after)).total()
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    asked = Counter(question for question, _answer in gone.elements())
    edited = (asked & Counter(question for question, _answer in come.elements())).total()
    assert found.counts["edited"] == edited, "as many as can be matched"
    assert found.counts["removed"] == gone.total() - edited
    assert found.counts["added"] == come.total() - edited


@given(files, files, st.integers(1, 7))
def test_sort_batches_do_not_change_the_result(
    before: list[Pair], after: list[Pair], sorted_at_once: int
) -> None:
    whole = list_changes(content(before), content(after))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "SORTED", sorted_at_once)
        assert list_changes(content(before), content(after)) == whole


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_reordering_is_no_change(pairs: list[Pair], chance: Any) -> None:
    other = chance.sample(pairs, len(pairs))
    assert compute_diff(content(pairs), content(other)).change_count == 0


def test_each_kind_of_change_has_lines_and_texts() -> None:
    before = content([("keep", "1"), ("edit", "old words"), ("go", "x"), ("twice", "t"), ("twice", "t")])
    after = content([("new", "y"), ("twice", "t"), ("edit", "new words"), ("keep", "1")])
    found = compute_diff(before, after)
    assert found.counts == {"added": 1, "removed": 2, "edited": 1, "unchanged": 2}
    [edited] = found.edited
    assert (edited.before, edited.after, edited.old, edited.new) == (2, 3, "old words", "new words")
    assert edited.prompt == (Message("user", "edit"),)
    assert [(change.before, change.after, change.old) for change in found.removed] == [
        (3, 0, "x"),
        (5, 0, "t"),
    ]
    assert [(change.before, change.after, change.new) for change in found.added] == [(0, 1, "y")]
    assert (found.before.examples, found.after.examples) == (5, 4)


def test_system_instruction_and_earlier_turns_belong_to_the_prompt() -> None:
    before = conversation_line("Hi", "Hello", "Why?", "Because.", **SYSTEM) + conversation_line("Hi", "Hello")
    after = conversation_line("Hi", "Hello!", "Why?", "Because.", **SYSTEM) + conversation_line(
        "Hi", "Hello", **SYSTEM
    )
    assert compute_diff(before, after).counts == {"added": 2, "removed": 2, "edited": 0, "unchanged": 0}
    answered = conversation_line("Hi", "Hello", "Why?", "No reason.", **SYSTEM)
    [edited] = compute_diff(before, answered).edited
    assert edited.system == "Be brief." and [message.text for message in edited.prompt] == [
        "Hi",
        "Hello",
        "Why?",
    ]
    assert (edited.old, edited.new) == ("Because.", "No reason.")


@pytest.mark.parametrize(
    "written",
    [
        {"id": 7, **example("q", "a"), **SYSTEM},
        {
            **example("q", "a"),
            "system_instruction": {"role": "system", "parts": [{"text": "Be "}, {"text": "brief."}]},
        },
        {
            **SYSTEM,
            "contents": [
                {"parts": [{"text": "q"}], "role": "USER"},
                {"role": "model", "parts": [{"text": "a"}], "note": "x"},
            ],
        },
    ],
    ids=["a field more", "the other spelling", "roles and keys"],
)
def test_json_spelling_of_a_line_is_ignored(written: Any) -> None:
    plain = {**example("q", "a"), **SYSTEM}
    assert compute_diff(line(plain), line(written)).counts["unchanged"] == 1
    assert (
        compute_diff(line(plain), line({**written, "tools": [{"functionDeclarations": []}]})).change_count
        == 2
    )


def test_files_and_function_calls_are_shown_as_json() -> None:
    def file_line(uri: str) -> bytes:
        picture = {"fileData": {"mimeType": "image/png", "fileUri": uri}}
        value = example("What is it?", "a cat")
        value["contents"][0]["parts"].append(picture)
        return line(value)

    found = compute_diff(file_line("gs://b/1.png"), file_line("gs://b/2.png"))
    assert found.counts["added"] == found.counts["removed"] == 1
    assert "gs://b/2.png" in found.added[0].prompt[0].text and "What is it?" in found.added[0].prompt[0].text


def test_broken_lines_are_counted_and_listed() -> None:
    found = compute_diff(GOOD + COMMA + b"\n" + UNANSWERED, COMMA * 30 + GOOD)
    assert found.counts == {"added": 0, "removed": 0, "edited": 0, "unchanged": 1}
    assert [(one.line, one.code) for one in found.before.problems] == [
        (2, "json_trailing_comma"),
        (4, "last_not_model"),
    ]
    assert found.after.broken == 30 and len(found.after.problems) == MAX_BROKEN
    assert compute_diff(line(openai_chat("?")), GOOD).before.problems[0].code == "openai_messages"


@pytest.mark.parametrize("name", [name for name in CASES if name != "a million short lines"])
def test_only_unusable_lines_are_broken(name: str) -> None:
    make, expected, examples = CASES[name]
    found = diff_files(make, source(GOOD)).before
    faulty = {
        number: code for code, number, _field in expected if code not in {"bom", "empty", "unknown_field"}
    }
    assert found.examples == examples
    assert {one.line: one.code for one in found.problems} == faulty and found.broken == len(faulty)


def test_long_answers_are_excerpted_where_they_differ() -> None:
    start = "word " * 300
    [edited] = compute_diff(
        line(example("q", f"{start}old end")), line(example("q", f"{start}new end"))
    ).edited
    assert edited.old.endswith("old end") and edited.new.endswith("new end")
    assert edited.old.startswith("…") and len(edited.old) < 200
    [told] = list_changes(line(example("q", f"{start}old end")), line(example("q", f"{start}new end")))
    assert told[5:] == (f"{start}old end", f"{start}new end")


def test_first_changes_are_kept_and_all_are_counted() -> None:
    before = content((f"q{n}", "a") for n in range(70))
    after = content((f"q{n}", "b") for n in reversed(range(70)))
    found = compute_diff(before, after)
    assert found.counts["edited"] == 70 and len(found.edited) == MAX_CHANGES
    assert [change.after for change in found.edited] == list(range(1, MAX_CHANGES + 1))
    assert [row[2] for row in list_changes(before, after)] == list(range(1, 71))
    assert all(70 - row[1] + 1 == row[2] for row in list_changes(before, after))


def test_label_usage_shifts_are_listed() -> None:
    before = content(
        [(f"q{n}", "refund" if n % 2 else "card") for n in range(20)] + [("x", "long " * 40)] * 3
    )
    after = content(
        [(f"q{n}", "card") for n in range(20)] + [("y", "new_label")] * 2 + [("x", "long " * 40)] * 3
    )
    found = compute_diff(before, after)
    assert found.answers == [
        Answer("refund", 10, 0),
        Answer("card", 10, 20),
        Answer("new_label", 0, 2),
    ]
    assert found.labels == 3 and found.counts["edited"] == 10


def test_distributions_of_both_files_are_exact() -> None:
    found = compute_diff(content([("ab" * 8, "abcd")] * 3), conversation_line("abcd", "abcd", "ab", "a" * 9))
    assert (found.input.before.median, found.output.before.maximum, found.turns.before.mean) == (4, 1, 2)
    assert (found.input.after.total, found.output.after.total, found.turns.after.maximum) == (2, 4, 4)


def test_slow_and_fast_path_measure_the_same() -> None:
    value = {**example("日本語?", "はい"), **SYSTEM}
    quick, careful = fingerprint_file([line(value)]), fingerprint_file([line({"id": 1, **value})])
    for name in ("asked", "answered", "turns"):
        assert getattr(quick, name).distribution() == getattr(careful, name).distribution()
    assert quick.columns.prompts == careful.columns.prompts and quick.short == careful.short


def generate_chunks(count: int, shift: int = 0) -> Callable[[], Iterator[bytes]]:
    return lambda: (
        line(example(f"question {n} " + "x" * 200, f"answer {n % 7}")) for n in range(shift, count + shift)
    )


@pytest.mark.parametrize(
    ("fewer", "more"), [(2_000, 4_000), pytest.param(2_000, 8_000, marks=pytest.mark.slow)]
)
def test_memory_does_not_grow_with_text_length(fewer: int, more: int) -> None:
    def measure_peak(count: int) -> int:
        tracemalloc.start()
        found = diff_files(generate_chunks(count), generate_chunks(count, count // 2))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        half = count // 2
        assert found.counts == {"added": half, "removed": half, "edited": 0, "unchanged": half}
        return peak

    measure_peak(100)  # what is made once
    read = 2 * sum(len(row) for row in generate_chunks(more - fewer)())
    assert measure_peak(more) - measure_peak(fewer) < read / 4


def test_each_file_is_read_at_most_twice() -> None:
    seen = Counter[str]()

    def count_reads(name: str, make: Callable[[], Iterable[bytes]]) -> Source:
        def open_it() -> Iterator[bytes]:
            for chunk in make():
                seen[name] += len(chunk)
                yield chunk

        return open_it

    size = sum(map(len, generate_chunks(20_000)()))
    diff_files(
        count_reads("before", generate_chunks(20_000)), count_reads("after", generate_chunks(20_000, 1))
    )
    assert seen["after"] <= 2 * size + 100_000 and size <= seen["before"] < 1.2 * size
