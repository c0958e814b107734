"""Streams under gunicorn's threads, which notice a disconnected reader only by its socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest
import requests
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from jobs.chat.models import Conversation, Turn
from studio.run.processes import bind_to_parent
from tests.jobs.chat.conftest import MORE, Endpoint, build_response

pytestmark = pytest.mark.django_db(transaction=True)
State = Turn.State


@pytest.fixture
def server(endpoint: Endpoint, settings: Settings, admin_exists: User) -> Iterator[str]:
    """The studio in a separate process, using this test's database."""
    if connection.vendor != "sqlite":
        pytest.skip("the server's process is given the test's database as a file")
    listener = socket.create_server(("127.0.0.1", 0))
    address, place = f"fd://{listener.fileno()}", f"127.0.0.1:{listener.getsockname()[1]}"
    database = f"sqlite:///{connection.settings_dict['NAME']}"
    command = ["-m", "gunicorn", "studio.wsgi", "-b", address, "--threads", "4", "-w", "1", "-c", "/dev/null"]
    environment = {
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        "DATABASE_URL": database,
        "ENGINE_URL": settings.ENGINE_URL,
        "DEBUG": "on",
    }
    process = subprocess.Popen(
        bind_to_parent([sys.executable, *command, "--no-control-socket"]),
        cwd=django_settings.BASE_DIR,
        env={**os.environ, **environment},
        pass_fds=[listener.fileno()],
    )
    listener.close()  # from now on the server's alone
    try:
        requests.get(f"http://{place}/sign-in/", timeout=120)  # the first answer loads everything
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def reader(tuner: User, browser_of: Callable[[User], Client]) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.cookies["sessionid"] = browser_of(tuner).cookies["sessionid"].value
    return session


def wait_for_state(turn: Turn, state: str) -> None:
    for _ in range(600):
        turn.refresh_from_db()
        if turn.state == state:
            return
        time.sleep(0.1)
    raise AssertionError(f"{turn.state} instead of {state}")


def open_stream(server: str, reader: requests.Session, turn: Turn) -> requests.Response:
    path = f"{turn.conversation.get_absolute_url()}turns/{turn.pk}/stream/"
    return reader.get(server + path, stream=True, timeout=120)


def test_text_is_streamed_and_a_leaving_reader_closes_a_silent_endpoint(
    server: str, reader: requests.Session, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [build_response("one "), go_on, *MORE]
    turn = conversation.ask("hello")
    assert turn
    response = open_stream(server, reader, turn)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    lines = response.iter_lines(chunk_size=1)
    assert 'data: {"text": "one "}' in (line.decode() for line in lines)
    assert not go_on.is_set()
    response.close()

    wait_for_state(turn, State.STOPPED)
    assert (turn.reply, turn.error) == ("one ", {"kind": "Left"})
    go_on.set()
    assert endpoint.hung_up.wait(60)
