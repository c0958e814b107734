"""The engine as others meet it: one process on a free port, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from studio.run.processes import bind_to_parent
from tests.engine.tiny_base import example
from tests.paths import ROOT

PROJECT = "v1/projects/myproject/locations/us-central1"
FINISHED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class Engine:
    def __init__(self, process: subprocess.Popen[str], url: str, root: Path) -> None:
        self.process = process
        self.url = url
        self.root = root
        self.session = requests.Session()
        self.session.trust_env = False

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.url}/{path}", timeout=120, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.call("POST", path, json=body, **options)

    def upload(self, name: str, content: str | bytes, bucket: str = "data") -> str:
        """Store the content as gs://bucket/name, and answer that address."""
        path = f"upload/storage/v1/b/{bucket}/o?uploadType=media"
        self.call("POST", path, params={"name": name}, data=content).raise_for_status()
        return f"gs://{bucket}/{name}"

    def upload_examples(self, name: str, count: int) -> str:
        lines = (
            json.dumps(example(f"word {number}", "red" if number % 2 else "green")) for number in range(count)
        )
        return self.upload(name, "\n".join(lines))

    def create(self, **body: Any) -> requests.Response:
        return self.post(f"{PROJECT}/tuningJobs", body)

    def tune(self, examples: int = 8, epochs: int = 1, **body: Any) -> dict[str, Any]:
        """A job of studio-tiny, created; `body` adds to the request or replaces in it."""
        spec = {
            "trainingDatasetUri": self.upload_examples(f"train-{examples}.jsonl", examples),
            "validationDatasetUri": self.upload_examples("validation.jsonl", 4),
            "hyperParameters": {"epochCount": epochs},
        }
        response = self.create(**{"baseModel": "studio-tiny", "supervisedTuningSpec": spec, **body})
        response.raise_for_status()
        job: dict[str, Any] = response.json()
        return job

    def wait(
        self, job: dict[str, Any], states: tuple[str, ...] = FINISHED, seconds: float = 240
    ) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.get(f"v1/{job['name']}").json()
            if found["state"] in states:
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


@contextmanager
def run_engine(root: Path, *arguments: str, **environment: str) -> Iterator[Engine]:
    """An engine of its own until the block ends; ENGINE_BASES must name a base already."""
    command = [sys.executable, "-m", "engine", "--port", "0", "--root", str(root), *arguments]
    process = subprocess.Popen(
        bind_to_parent(command),
        cwd=ROOT,
        env={**os.environ, "ENGINE_FAULTS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Engine(process, _read_address(process), root)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            assert process.stdout
            process.stdout.close()


def _read_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert " at http://" in line, line
    url = line.split(" at ")[1].strip()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/healthz", timeout=120).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return url
    raise AssertionError("The engine does not answer.")
