"""Held out for validation: a partition, the same each time, duplicates together, exact to the line."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.transform.split import TooFew, count_held_out, lines, plan_split, split_lines

TEXTS = st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=8), max_size=120)
PERCENT = st.integers(1, 50)
SEED = st.integers(0, 2**31 - 1)


def chunks(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def split_content(content: bytes, percent: int, seed: int, size: int = 7) -> tuple[list[bytes], list[bytes]]:
    """(training, validation) lines, with their newlines."""
    made = plan_split(chunks(content, size), percent, seed)
    found: dict[str, list[bytes]] = {"training": [], "validation": []}
    for part, line in split_lines(chunks(content, size + 3), made):
        found[part].append(line)
    assert (len(found["training"]), len(found["validation"])) == (made.training, made.validation)
    return found["training"], found["validation"]


def join_lines(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


@given(st.sets(st.text(max_size=8), min_size=2, max_size=150), PERCENT, SEED)
def test_distinct_lines_are_split_exactly(texts: set[str], percent: int, seed: int) -> None:
    training, validation = split_content(join_lines(sorted(texts)), percent, seed)
    assert len(validation) == count_held_out(len(texts), percent)
    assert sorted(training + validation) == sorted(join_lines(sorted(texts)).splitlines(keepends=True))


@given(TEXTS, PERCENT, SEED, st.integers(1, 50))
def test_repeated_lines_stay_in_one_part(texts: list[str], percent: int, seed: int, size: int) -> None:
    content = join_lines(texts)
    if len(set(texts)) < 2:
        with pytest.raises(TooFew):
            plan_split([content], percent, seed)
        return
    training, validation = split_content(content, percent, seed, size)
    assert Counter(training + validation) == Counter(content.splitlines(keepends=True))
    assert training and validation
    assert not set(training) & set(validation)
    wanted = count_held_out(len(texts), percent)
    rare = min(Counter(texts).values())
    assert len(validation) <= max(wanted, rare)
    if len(validation) < wanted:
        left = wanted - len(validation)
        assert all(count > left for line, count in Counter(training).items()), "another one would have fitted"


@given(st.permutations(range(40)), PERCENT, SEED)
def test_line_order_does_not_change_the_split(order: list[int], percent: int, seed: int) -> None:
    texts = [str(number % 31) for number in range(40)]
    shuffled = [texts[place] for place in order]
    held = [sorted(split_content(join_lines(each), percent, seed)[1]) for each in (texts, shuffled)]
    assert held[0] == held[1]


def test_same_seed_gives_same_parts_and_another_seed_other_parts() -> None:
    """Fixed for good: a part that was made before can be made again."""
    content = join_lines([f"example {number}" for number in range(480)])
    first, again, other = (split_content(content, 10, seed)[1] for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(other) == 48
    assert [json.loads(line)["text"] for line in first[:3]] == ["example 1", "example 6", "example 11"]


def test_split_keeps_order_and_bytes_and_drops_blank_lines_and_bom() -> None:
    content = b'\xef\xbb\xbf{"a": 1} \r\n\n  \t\n{"b": "\xe2\x80\xa8\x0c"}\n{"c": 3}'
    assert list(lines([content])) == [b'{"a": 1} \r', b'{"b": "\xe2\x80\xa8\x0c"}', b'{"c": 3}']
    assert list(lines(chunks(content, 1))) == list(lines([content]))


@pytest.mark.parametrize(
    ("total", "percent", "held"),
    [
        (480, 10, 48),
        (2, 1, 1),
        (2, 50, 1),
        (3, 50, 2),
        (99, 10, 10),
        (95, 10, 10),
        (94, 10, 9),
        (1000, 50, 500),
    ],
)
def test_held_out_count(total: int, percent: int, held: int) -> None:
    assert count_held_out(total, percent) == held


def test_repeated_lines_make_the_held_out_part_smaller_not_larger() -> None:
    training, validation = split_content(join_lines(["a"] * 6 + ["b"] * 6 + ["c"] * 4), 30, 0)
    assert (len(training), len(validation)) == (12, 4)


def test_least_repeated_line_is_held_out_if_none_fits() -> None:
    training, validation = split_content(join_lines(["a"] * 60 + ["b"] * 40), 10, 0)
    assert (len(training), len(validation)) == (60, 40)


@pytest.mark.parametrize(
    ("fewer", "more"), [(2_000, 20_000), pytest.param(10_000, 100_000, marks=pytest.mark.slow)]
)
def test_memory_stays_bounded_and_time_is_linear(fewer: int, more: int) -> None:
    def examples(count: int) -> Iterator[bytes]:
        for start in range(0, count, 1000):
            yield b"".join(b'{"n": %d, "pad": "%0300d"}\n' % (n, n) for n in range(start, start + 1000))

    def measure(count: int) -> tuple[float, int]:
        begin = time.process_time()
        made = plan_split(examples(count), 10, 0)
        held = sum(part == "validation" for part, _line in split_lines(examples(count), made))
        assert held == made.validation == count // 10
        return time.process_time() - begin, count

    # The best of three: whatever the garbage collector does in one of them is not the split's.
    few, many = (min(measure(count)[0] for _ in range(3)) for count in (fewer, more))
    assert many < 25 * few, "ten times as many lines"
    tracemalloc.start()
    measure(more)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < sum(map(len, examples(more))) / 2
