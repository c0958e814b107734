"""No bytes break the check, however they are cut, and its quick way finds what its careful way does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.check import checker as checking
from jobs.datasets.check import lines as reading
from jobs.datasets.check.checker import check_file, iter_problems
from jobs.datasets.check.distributions import Histogram
from jobs.datasets.check.fast_path.block_counter import BlockCount
from jobs.datasets.check.fast_path.line_template import LineTemplate
from jobs.datasets.check.fast_path.plain_example import NOT_PLAIN, count_raw_keys, extract_plain_texts
from jobs.datasets.check.lines import Block
from jobs.datasets.check.messages import describe_problem
from jobs.datasets.check.report import Report
from jobs.datasets.transform.clean import clean_file
from tests.jobs.datasets.check.corpus import FINE, OTHER, conversation_line, example, turn

FULL = checking.MAX_SAMPLES * (FINE + b"\n")
"""What fills the samples, so that lines after it may go the quick way."""

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: not text.isspace()
)
tricky = st.sampled_from(
    ['"a":1', '":', ": x", " :) ", '\\":', "\\", "\u3000x", "ä", "日本", "😀", "\x00", "\\u003a"]
)


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    said = texts | tricky
    pairs = draw(st.integers(1, 3))
    contents = [turn(role, draw(said)) for _ in range(pairs) for role in ("user", "model")]
    value: dict[str, Any] = {"contents": contents}
    if draw(st.booleans()):
        value["systemInstruction"] = {"parts": [{"text": draw(said)}]}
        if draw(st.booleans()):
            value["systemInstruction"]["role"] = "system"
    if draw(st.booleans()):
        value = dict(reversed(value.items()))
    return value


@st.composite
def dump_json(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """JSON in one of the spellings that libraries write."""
    separators = draw(st.sampled_from([(", ", ": "), (",", ":"), (", ", " : "), (" ,\t", "  :")]))
    return json.dumps(draw(values), ensure_ascii=draw(st.booleans()), separators=separators).encode()


@st.composite
def odd_line(draw: st.DrawFn) -> bytes:
    """A line that is almost right: something doubled, dropped, renamed or replaced in its bytes."""
    line = draw(dump_json(conversations()))
    old, new = draw(
        st.sampled_from(
            [
                (b'"role"', b'"role": "model", "role"'),
                (b'"text"', b'"t\\u0065xt": "x", "text"'),
                (b'"parts"', b'"parts" : [], "parts"'),
                (b'"contents"', b'"contents": {"a\\\\": 1}, "contents"'),
                (b'"role"', b'"a\\\\": 1, "role"'),
                (b'"user"', b'"USER"'),
                (b'"user"', b'"model"'),
                (b'"model"', b"null"),
                (b'"parts"', b'"weight": 0, "parts"'),
                (b'"text"', b'"text": ":", "text"'),
                (
                    b"[",
                    b"[[",
                ),
                (
                    b"}",
                    b"",
                ),
                (b'"', b"'"),
                (b"{", b"\xff{"),
                (b'"text"', b'"txt"'),
            ]
        )
    )
    return line.replace(old, new, draw(st.integers(1, 3)))


BORROWING = [
    b'{"contents":[{"role":"user","parts":[{"text":"a"}]}',
    b'{"role":"model","parts":[{"text":"b"}]}]}',
    b'{"contents":[{"role":"user","parts":[{"text":"a',
    b'b"}]},{"role":"model","parts":[{"text":"b"}]}]}',
    FINE + b",0," + OTHER,
    FINE + b"," + OTHER,
    b"0",
    b'{"x":[',
    b"1]}",
    b"[",
    b"]",
    b'],"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}',
]
"""Lines that are nothing alone, and together look like others."""
lines = st.one_of(
    dump_json(conversations()),
    odd_line(),
    st.binary(max_size=40),
    st.sampled_from(BORROWING),
    st.sampled_from(
        [
            FINE,
            OTHER,
            b"",
            b"\r",
            b'{"a":',
            example("x", weight=1),
            conversation_line(),
            b"[1]",
            b"3",
            b":",
            b" :",
            b'":',
        ]
    ),
)


def check_on_slow_path(chunks: list[bytes]) -> Report:
    """As if no line were of the commonest shape."""

    def count(block: Block, _spelling: LineTemplate) -> Iterator[BlockCount]:
        yield BlockCount(others=list(enumerate(block.lines, block.number)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "count_block", count)
        return check_file(chunks)


def cut_content(content: bytes, places: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    for left, right in pairwise(edges):
        yield content[left:right]


@given(st.lists(lines, max_size=12), st.lists(st.integers(0, 10**6), max_size=6), st.booleans())
def test_chunking_and_fast_path_do_not_change_the_report(
    pieces: list[bytes], places: list[int], full: bool
) -> None:
    content = (FULL if full else b"") + b"\n".join(pieces)
    whole = check_file([content])
    json.dumps(whole.to_json()).encode()
    for problem in whole.problems:
        describe_problem(problem)
    assert check_file(cut_content(content, places)) == whole
    assert check_on_slow_path([content]) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK", 32)
        assert check_file(cut_content(content, places)) == whole
    assert Counter(problem.code for problem in iter_problems([content])) == whole.counts


@given(st.lists(dump_json(conversations()), min_size=1, max_size=12))
def test_valid_conversations_are_accepted_and_counted(pieces: list[bytes]) -> None:
    report = check_file([FULL + b"\n".join(pieces)])
    values = [json.loads(piece) for piece in [*FULL.splitlines(), *pieces]]
    sizes = [naive_size(value) for value in values]
    tokens = [-(-size // 4) for size in sizes]
    turns = [len(value["contents"]) for value in values]
    assert report.ok and report.examples == len(values)
    for spread, numbers in ((report.tokens, tokens), (report.turns, turns)):
        ordered = sorted(numbers)
        assert (spread.count, spread.total) == (len(numbers), sum(numbers))
        assert (spread.minimum, spread.maximum) == (ordered[0], ordered[-1])
        for share, found in ((5, spread.p5), (50, spread.median), (95, spread.p95)):
            assert found == ordered[-(-len(ordered) * share // 100) - 1]
        for left, right, count in spread.buckets:
            assert count == sum(left <= number < right for number in numbers)
    seen = [json.dumps({"contents": value["contents"], "system": system_text(value)}) for value in values]
    assert report.duplicates == len(seen) - len(set(seen))
    asked = [json.dumps([value["contents"][:-1], system_text(value)]) for value in values]
    firsts = {question: seen[place] for place, question in reversed(list(enumerate(asked)))}
    others = {whole for whole, question in zip(seen, asked, strict=True) if firsts[question] != whole}
    assert report.counts.get("prompt_conflict", 0) == len(others)


def naive_size(value: dict[str, Any]) -> int:
    said = [part["text"] for one in value["contents"] for part in one["parts"]]
    return len("".join([system_text(value), *said]).encode())


def system_text(value: dict[str, Any]) -> str:
    return "".join(part["text"] for part in value.get("systemInstruction", {"parts": []})["parts"])


@given(st.lists(lines, max_size=12))
def test_cleaned_file_has_no_errors_and_cleaning_is_idempotent(pieces: list[bytes]) -> None:
    content = b"\n".join([*pieces, b'{"prompt": "a", "completion": "b"}'])
    before = check_file([content])
    once = b"".join(clean_file([content]))
    report = check_file([once])
    assert not report.errors or report.counts == {"empty": 1}
    assert report.duplicates == 0 and report.lines == report.examples
    mended = sum(before.convertible.values())
    least = before.examples - before.duplicates
    assert least <= report.examples <= least + mended
    assert b"".join(clean_file([once])) == once


@given(dump_json(conversations()))
def test_keys_are_never_undercounted(line: bytes) -> None:
    def count(value: Any) -> int:
        if isinstance(value, dict):
            return len(value) + sum(map(count, value.values()))
        return sum(map(count, value)) if isinstance(value, list) else 0

    most = count_raw_keys(line)
    assert most is None or most >= count(json.loads(line))


@st.composite
def changed_lines(draw: st.DrawFn) -> list[bytes]:
    """Lines of one spelling, with bytes put in anywhere: keys, ends of texts, escapes, whitespace."""
    separators = draw(st.sampled_from([(", ", ": "), (",", ":")]))
    found = [
        json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators).encode()
        for value in draw(st.lists(conversations(), min_size=1, max_size=4))
    ]
    for _ in range(draw(st.integers(0, 2))):
        line = draw(st.integers(0, len(found) - 1))
        place = draw(st.sampled_from(range(len(found[line]) + 1)))
        found[line] = found[line][:place] + draw(st.sampled_from(PUT_IN)) + found[line][place:]
    return found


PUT_IN = [
    b'"role": "user", ',
    b'"text":"x",',
    b',"text":"x"',
    b'x","y',
    b'","',
    b'"',
    b"\\",
    b"\\u0041",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b" ",
    b"\r",
    b"\n",
    b"\xff",
    b'"}]}, {"role": "model", "parts": [{"text": "',
    b'"}]},{"role":"user","parts":[{"text":"',
]


@given(changed_lines())
def test_template_accepts_only_lines_with_unique_keys(pieces: list[bytes]) -> None:
    spelling = LineTemplate()
    for piece in pieces:
        try:
            spelling.learn(piece, json.loads(piece))
        except ValueError:
            continue
    content = b"\n".join(pieces)
    try:
        rows = spelling.parse_rows(content)
    except NOT_PLAIN:
        return
    values = [json.loads(line, object_pairs_hook=reject_repeats) for line in content.split(b"\n")]
    texts = [text for value in values for text in extract_plain_texts(value)[0]]
    assert rows.asked.tolist() == [len(text.encode()) for text in texts[::2]]
    assert rows.answers.tolist() == [hash(text) for text in texts[1::2]]


def reject_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(conversations(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_line_matches_the_template_learned_from_it(value: Any, separators: Any) -> None:
    """Unless the instruction comes last."""
    line = json.dumps(value, separators=separators).encode()
    spelling = LineTemplate()
    spelling.learn(line, value)
    assert bool(spelling.gaps) == ([*value][-1] == "contents")
    if spelling.gaps:
        answers = [hash(text) for text in extract_plain_texts(value)[0][1::2]]
        assert spelling.parse_rows(line + b"\n" + line).answers.tolist() == 2 * answers


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["contents", "role", "parts", "text", "systemInstruction", "fileData", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_can_be_checked(value: Any) -> None:
    report = check_file([json.dumps(value).encode()])
    assert report.lines == 1
    assert report.examples == (1 if report.ok else 0)
    for problem in report.problems:
        describe_problem(problem)


@given(st.lists(st.integers(0, 10**6)))
def test_large_values_are_counted_exactly(values: list[int]) -> None:
    import numpy as np

    histogram = Histogram()
    for place in range(0, len(values), 3):
        histogram.add(np.array(values[place : place + 3], np.int64))
    spread = histogram.distribution()
    assert (spread.count, spread.total) == (len(values), sum(values))
    assert (spread.minimum, spread.maximum) == (min(values, default=0), max(values, default=0))


def test_key_counts_of_neighboring_lines_are_not_mixed_up() -> None:
    """Together they are JSON, with as many values as lines: an object over two lines, and a line of two."""
    content = FULL + b"\n".join([b'{"x":[', b"1]}", FINE + b",0," + OTHER])
    report = check_file([content])
    assert report.examples == checking.MAX_SAMPLES
    assert [(problem.line, problem.code) for problem in report.problems if problem.severity == "error"] == [
        (6, "json_cut"),
        (7, "json_extra"),
        (8, "json_extra"),
    ]
