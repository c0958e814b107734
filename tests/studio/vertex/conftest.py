"""A double of the server, and the client that talks to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from studio.vertex.storage import Storage
from tests.studio.vertex.double import FakeVertexServer, run_server

CANARY = "canary-token-4711"


@pytest.fixture
def double() -> Iterator[FakeVertexServer]:
    with run_server() as server:
        yield server


@pytest.fixture
def place(double: FakeVertexServer) -> Place:
    return Place(backend="engine", project_id="myproject", engine_url=double.url, token=CANARY)


@pytest.fixture
def vertex(place: Place, monkeypatch: pytest.MonkeyPatch) -> Vertex:
    monkeypatch.setattr("studio.vertex.client.PAUSE", 0.01)
    return Vertex(place, timeout=(5.0, 5.0), generate_timeout=(5.0, 5.0))


@pytest.fixture
def hasty(place: Place) -> Vertex:
    """A client with short time limits."""
    return Vertex(place, timeout=(0.3, 0.3), generate_timeout=(0.3, 0.3))


@pytest.fixture
def storage(place: Place) -> Storage:
    return Storage(place)
