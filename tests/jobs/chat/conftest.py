"""A tuned model to chat with, and an endpoint that gives the answers set by a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from jobs.chat.models import Conversation
from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from studio.models import Project

PLACE = "projects/local/locations/us-central1"
ENDPOINT = f"{PLACE}/endpoints/702"
OLDER = f"{PLACE}/endpoints/701"
CUT = object()
Step = dict[str, Any] | bytes | Event | object


class Endpoint:
    """Plays `steps` to whoever asks: an element, raw bytes, an Event to wait for, or CUT to break off.

    `status` other than 200 refuses with `steps[0]` as the error. `hung_up` is set when the asker has gone.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.hung_up = Event()

    def set_answer(self, *texts: str, finish: str = "STOP", **usage: int) -> None:
        self.steps = [*map(build_response, texts), build_response("", finish, **usage)]


def build_response(text: str, finish: str = "", **usage: int) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    if finish:
        candidate["finishReason"] = finish
    element: dict[str, Any] = {"candidates": [candidate], "modelVersion": "studio-tiny"}
    return element | ({"usageMetadata": usage} if usage else {})


class Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint

    def do_POST(self) -> None:
        self.endpoint.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.endpoint.paths.append(self.path)
        self.send_response(self.endpoint.status)
        streams = self.endpoint.status == 200
        self.send_header("Content-Type", "text/event-stream" if streams else "application/json")
        self.end_headers()
        try:
            for step in self.endpoint.steps:
                if not self.play_step(step):
                    return
        except OSError:
            self.endpoint.hung_up.set()

    def play_step(self, step: Step) -> bool:
        match step:
            case Event():
                self.wait_for_event(step)
            case bytes():
                self.wfile.write(step)
            case dict():
                framed = (
                    f"data: {json.dumps(step)}\r\n\r\n" if self.endpoint.status == 200 else json.dumps(step)
                )
                self.wfile.write(framed.encode())
        self.wfile.flush()
        return step is not CUT

    def wait_for_event(self, event: Event) -> None:
        """Wait until the event is set or the client has disconnected (an empty read)."""
        self.connection.settimeout(0.05)
        while not event.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    raise ConnectionResetError
        self.connection.settimeout(None)

    def log_message(self, *args: Any) -> None:
        pass


MORE = [build_response("more ")] * 100_000
"""More than the buffers of a connection hold, so that sending it tells whether anybody still listens."""


@pytest.fixture
def endpoint(settings: Settings) -> Iterator[Endpoint]:
    """The endpoint behind the engine's address, for projects on the engine."""
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"endpoint": endpoint}))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.ENGINE_URL = f"http://127.0.0.1:{server.server_port}"
    yield endpoint
    for step in endpoint.steps[:10]:
        if isinstance(step, Event):
            step.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def job(project: Project, tuner: User) -> TuningJob:
    """A succeeded job with two checkpoints; the second is the default."""
    return make_job(project, tuner)


def make_job(project: Project, owner: User | None, **fields: Any) -> TuningJob:
    checkpoints = [
        {"checkpointId": "1", "epoch": "1", "step": "30", "endpoint": OLDER},
        {"checkpointId": "2", "epoch": "2", "step": "60", "endpoint": ENDPOINT},
    ]
    tuned = {"model": f"{PLACE}/models/55@1", "endpoint": ENDPOINT, "checkpoints": checkpoints}
    made = {
        "tuned_model_display_name": "banking intents",
        "base_model": "gemini-2.5-flash",
        "submission": "created",
        "state": "JOB_STATE_SUCCEEDED",
        "remote": {"tunedModel": tuned},
    }
    return TuningJob.objects.create(project=project, owner=owner, **{**made, **fields})


@pytest.fixture
def sampled(project: Project) -> Callable[..., Dataset]:
    """sampled(*questions, system=...) -> a checked file whose samples ask these questions."""

    def make(*questions: str, system: str = "") -> Dataset:
        samples = [
            {
                "line": number,
                "system": system,
                "messages": [{"role": "user", "text": text}, {"role": "model", "text": "an intent"}],
            }
            for number, text in enumerate(questions, 1)
        ]
        uri = f"gs://bucket/{len(Dataset.objects.all())}.jsonl"
        return Dataset.objects.create(
            project=project, uri=uri, generation="1", crc32c="", size=1, report={"samples": samples}
        )

    return make


@pytest.fixture
def conversation(job: TuningJob, tuner: User) -> Conversation:
    return Conversation.objects.create(project=job.project, owner=tuner, job=job, resource=ENDPOINT)
