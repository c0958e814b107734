"""A double of the server, and the client that talks to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from requests.adapters import HTTPAdapter

from studio.vertex.auth import Place, session
from studio.vertex.client import Vertex
from studio.vertex.storage import Storage
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer, run_server

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


class ReroutingAdapter(HTTPAdapter):
    """Sends requests for Google to the double; `hosts` are their original addresses."""

    def __init__(self, double: FakeVertexServer) -> None:
        super().__init__()
        self.double = double
        self.hosts: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert request.url
        scheme, _, rest = request.url.partition("://")
        host, _, path = rest.partition("/")
        self.hosts.append(f"{scheme}://{host}")
        request.url = f"{self.double.url}/{path}"
        return super().send(request, *args, **kwargs)


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def key_file(tmp_path: Path, private_key: str, double: FakeVertexServer) -> Path:
    """A service account key whose token service is the double."""
    path = tmp_path / "secret-place.json"
    content = {
        "type": "service_account",
        "private_key": private_key,
        "client_email": "tuner@myproject.iam.gserviceaccount.com",
        "token_uri": f"{double.url}/token",
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def google(key_file: Path) -> Place:
    return Place(backend="google", project_id="myproject", credentials_file=str(key_file))


@pytest.fixture
def rerouted(google: Place, double: FakeVertexServer) -> ReroutingAdapter:
    adapter = ReroutingAdapter(double)
    session(google).mount("https://", adapter)
    return adapter


def token_answer(value: str) -> Answer:
    return json_answer({"access_token": value, "expires_in": 3600, "token_type": "Bearer"})
