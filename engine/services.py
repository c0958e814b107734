"""What lives as long as the engine's only process: root folder, queue, loaded models, objects."""

import os
from functools import cache
from pathlib import Path

from engine.gcs.object_store import ObjectStore
from engine.inference.server import ModelServer
from engine.queue.runner import Runner


@cache
def root() -> Path:
    """The folder under which everything lies, from ENGINE_ROOT."""
    return Path(os.environ["ENGINE_ROOT"])


@cache
def runner() -> Runner:
    return Runner(root())


@cache
def server() -> ModelServer:
    return ModelServer()


@cache
def store() -> ObjectStore:
    return ObjectStore(root() / "storage")


def start_services() -> None:
    """Make every part before the first request, since requests come in many threads."""
    server()
    store().install_samples()
    runner().start()


def stop_services() -> None:
    """End the trainers; their jobs go on at the next start."""
    runner().stop()
