"""Two readers of one turn, in threads with separate database connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connections

from jobs.chat.generation import stream_text
from jobs.chat.models import Conversation, Turn
from tests.jobs.chat.conftest import Endpoint

READERS = 6
T = TypeVar("T")
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sql]


def run_concurrently(work: Callable[[], T]) -> list[T]:
    barrier = Barrier(READERS)

    def run(_number: int) -> T:
        barrier.wait()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(run, range(READERS)))


def test_one_of_many_readers_generates_and_all_see_the_answer(
    conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer(*(f"word{number} " for number in range(50)))
    turn = conversation.ask("hello")
    assert turn

    def read() -> str:
        with closing(stream_text(Turn.objects.get(pk=turn.pk), may_answer=True)) as texts:
            return "".join(texts)

    whole = "".join(f"word{number} " for number in range(50))
    assert run_concurrently(read) == [whole] * READERS
    assert len(endpoint.bodies) == 1


def test_only_one_of_many_simultaneous_questions_is_accepted(conversation: Conversation) -> None:
    taken = run_concurrently(lambda: Conversation.objects.get(pk=conversation.pk).ask("hello"))
    assert len([turn for turn in taken if turn]) == 1
    assert conversation.turn_set.count() == 1
