"""TensorBoard, its scalars dashboard (the fastest of the peers), on the same runs."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import requests
from playwright.sync_api import Page

from studio.run.preflight import find_free_port
from tests.bench.compare.timer import Region, Spot
from tests.bench.compare.workload import METRICS, TRAIN_LOSS, Curve, Workload
from tests.stack import wait_until

STARTED = 1.7e9
CHARTS: Region = (330, 170, 730, 300)
"""Both loss charts stand there at 1600 x 1100."""
SLIDER = (62, 264)
"""A place on the smoothing slider."""


class TensorBoard:
    name = "TensorBoard"
    cookies: list[Any] = []

    def __init__(self, url: str, workload: Workload) -> None:
        self.url, self.workload = url, workload

    def address(self) -> str:
        """Both loss charts with every run: beyond 40 runs it selects none by itself."""
        chosen = json.dumps(dict.fromkeys(self.workload.names(), True))
        words = urllib.parse.quote(base64.b64encode(chosen.encode()).decode())
        return f"{self.url}/#scalars&tagFilter=total_loss&runSelectionState={words}"

    def region(self, page: Page) -> Region | None:
        return CHARTS

    def actions(self, page: Page) -> dict[str, Spot]:
        return {"smoothing": SLIDER}

    def wait_until_loaded(self) -> None:
        """Until every run is read to its end."""
        wait_until(self._has_all_runs, 300)
        last = {"tag": TRAIN_LOSS.lstrip("/"), "run": self.workload.names()[-1]}
        wait_until(lambda: self._get_json("scalars", last)[-1][1] == self.workload.steps, 300)

    def _has_all_runs(self) -> bool:
        found = self._get_json("tags", {})
        return len(found) == self.workload.runs and all(len(tags) == len(METRICS) for tags in found.values())

    def _get_json(self, what: str, query: dict[str, str]) -> Any:
        try:
            answer = requests.get(f"{self.url}/data/plugin/scalars/{what}", params=query, timeout=60)
            return answer.json() if answer.ok else {}
        except requests.ConnectionError:
            return {}


@contextmanager
def run_tensorboard(workload: Workload, folder: Path) -> Iterator[TensorBoard]:
    write_event_files(workload, folder)
    port = find_free_port()
    options = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *options],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        board = TensorBoard(f"http://127.0.0.1:{port}", workload)
        board.wait_until_loaded()
        yield board
    finally:
        server.terminate()
        server.wait(20)


def write_event_files(workload: Workload, folder: Path) -> None:
    """Event files as its writer leaves them, written at once: the writer itself would take minutes."""
    for run, curves in workload.curves():
        (folder / run).mkdir(parents=True)
        path = folder / run / f"events.out.tfevents.{int(STARTED)}.bench"
        path.write_bytes(b"".join(record(event) for event in events(curves)))


def events(curves: dict[str, Curve]) -> Iterator[bytes]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    yield Event(wall_time=STARTED, file_version="brain.Event:2").SerializeToString()
    for metric, (steps, values) in curves.items():
        tag = metric.lstrip("/")
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            yield Event(wall_time=STARTED + step, step=step, summary=summary).SerializeToString()


def record(data: bytes) -> bytes:
    """https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details"""
    length = struct.pack("<Q", len(data))
    return length + masked_crc(length) + data + masked_crc(data)


def masked_crc(data: bytes) -> bytes:
    check = int(google_crc32c.value(data))
    return struct.pack("<I", ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF)
