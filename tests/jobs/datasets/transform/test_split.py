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

from jobs.datasets.transform.split import TooFew, cut, lines, share, split

TEXTS = st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=8), max_size=120)
PERCENT = st.integers(1, 50)
SEED = st.integers(0, 2**31 - 1)


def chunks(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def parts(content: bytes, percent: int, seed: int, size: int = 7) -> tuple[list[bytes], list[bytes]]:
    """(training, validation) lines, with their newlines."""
    made = cut(chunks(content, size), percent, seed)
    found: dict[str, list[bytes]] = {"training": [], "validation": []}
    for part, line in split(chunks(content, size + 3), made):
        found[part].append(line)
    assert (len(found["training"]), len(found["validation"])) == (made.training, made.validation)
    return found["training"], found["validation"]


def file_of(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


@given(st.sets(st.text(max_size=8), min_size=2, max_size=150), PERCENT, SEED)
def test_distinct_lines_are_parted_exactly(texts: set[str], percent: int, seed: int) -> None:
    training, validation = parts(file_of(sorted(texts)), percent, seed)
    assert len(validation) == share(len(texts), percent)
    assert sorted(training + validation) == sorted(file_of(sorted(texts)).splitlines(keepends=True))


@given(TEXTS, PERCENT, SEED, st.integers(1, 50))
def test_any_lines_are_parted_and_repeated_ones_stay_together(
    texts: list[str], percent: int, seed: int, size: int
) -> None:
    content = file_of(texts)
    if len(set(texts)) < 2:
        with pytest.raises(TooFew):
            cut([content], percent, seed)
        return
    training, validation = parts(content, percent, seed, size)
    assert Counter(training + validation) == Counter(content.splitlines(keepends=True))
    assert training and validation
    assert not set(training) & set(validation)
    wanted = share(len(texts), percent)
    rare = min(Counter(texts).values())
    assert len(validation) <= max(wanted, rare)
    if len(validation) < wanted:
        left = wanted - len(validation)
        assert all(count > left for line, count in Counter(training).items()), "another one would have fitted"


@given(st.permutations(range(40)), PERCENT, SEED)
def test_the_order_of_the_lines_does_not_matter(order: list[int], percent: int, seed: int) -> None:
    texts = [str(number % 31) for number in range(40)]
    shuffled = [texts[place] for place in order]
    held = [sorted(parts(file_of(each), percent, seed)[1]) for each in (texts, shuffled)]
    assert held[0] == held[1]


def test_the_same_seed_gives_the_same_parts_and_another_one_others() -> None:
    """Fixed for good: a part that was made before can be made again."""
    content = file_of([f"example {number}" for number in range(480)])
    first, again, other = (parts(content, 10, seed)[1] for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(other) == 48
    assert [json.loads(line)["text"] for line in first[:3]] == ["example 1", "example 6", "example 11"]


def test_lines_keep_their_order_and_every_byte_but_blank_ones_and_the_mark() -> None:
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
def test_the_share(total: int, percent: int, held: int) -> None:
    assert share(total, percent) == held


def test_where_every_line_is_repeated_the_part_is_smaller_not_larger() -> None:
    training, validation = parts(file_of(["a"] * 6 + ["b"] * 6 + ["c"] * 4), 30, 0)
    assert (len(training), len(validation)) == (12, 4)


def test_when_nothing_is_small_enough_the_least_repeated_line_is_held_out() -> None:
    training, validation = parts(file_of(["a"] * 60 + ["b"] * 40), 10, 0)
    assert (len(training), len(validation)) == (60, 40)


def test_memory_grows_by_little_and_time_by_the_line() -> None:
    def examples(count: int) -> Iterator[bytes]:
        for start in range(0, count, 1000):
            yield b"".join(b'{"n": %d, "pad": "%0300d"}\n' % (n, n) for n in range(start, start + 1000))

    def measure(count: int) -> tuple[float, int]:
        begin = time.perf_counter()
        made = cut(examples(count), 10, 0)
        held = sum(part == "validation" for part, _line in split(examples(count), made))
        assert held == made.validation == count // 10
        return time.perf_counter() - begin, count

    few, many = measure(10_000)[0], measure(100_000)[0]
    assert many < 25 * few
    tracemalloc.start()
    measure(100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20, "33 MB were read"
