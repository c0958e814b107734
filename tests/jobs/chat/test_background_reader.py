from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Event

import pytest

from jobs.chat.background_reader import BackgroundReader


def test_items_arrive_in_order() -> None:
    with closing(BackgroundReader(lambda: iter([1, 2, 3]), tick=5)) as pump:
        assert list(pump) == [1, 2, 3]


def test_silence_yields_ticks() -> None:
    go_on = Event()

    def slow() -> Iterator[int]:
        go_on.wait(60)
        yield 1

    with closing(BackgroundReader(slow, tick=0.01)) as pump:
        items = iter(pump)
        assert next(items) is None
        go_on.set()
        assert 1 in items


def test_an_error_of_the_source_is_raised_in_the_reader() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with closing(BackgroundReader(broken, tick=5)) as pump, pytest.raises(ValueError, match="no more"):
        list(pump)


def test_an_error_creating_the_source_is_raised_in_the_reader() -> None:
    def refused() -> Iterator[int]:
        raise ValueError("not today")

    with closing(BackgroundReader(refused, tick=5)) as pump, pytest.raises(ValueError, match="not today"):
        list(pump)


def test_closing_closes_the_source_at_its_next_item() -> None:
    go_on, closed = Event(), Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
                go_on.wait(60)
        finally:
            closed.set()

    pump = BackgroundReader(endless, tick=5)
    assert next(iter(pump)) == 1
    pump.close()
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(60)
