"""The TensorBoard side of the service: a context, one run and its time series, in the words of the API."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from tests.studio.vertex.double import Answer, FakeVertexServer, ReceivedRequest, json_answer

PLACE = "projects/local/locations/us-central1"
EXPERIMENT = f"{PLACE}/metadataStores/default/contexts/tuning-1"
RUN = f"{PLACE}/tensorboards/555/experiments/tuning-1/runs/run-1"
Point = tuple[int, float, float]


class Board:
    """`series` is what it serves, by metric; `fault` is answered instead of anything else."""

    def __init__(self, double: FakeVertexServer, caller: BaseDatabaseWrapper) -> None:
        self.double, self.caller = double, caller
        self.series: dict[str, list[Point]] = {}
        self.fault: Answer | None = None
        self.held_back = 0
        double.otherwise = self.answer_request

    def pop_requests(self) -> list[str]:
        """What was asked since the last time, by the last part of its path."""
        paths = [one.path.rsplit("/", 1)[-1].rsplit(":", 1)[-1] for one in self.double.asked]
        self.double.asked.clear()
        return paths

    def answer_request(self, asked: ReceivedRequest) -> Answer:
        if self.caller.savepoint_ids:
            return Answer(599, "asked inside a transaction")
        if self.fault:
            return self.fault
        path = asked.path.removeprefix("/v1/")
        if path == EXPERIMENT:
            board = {"backing_tensorboard_resource": f"{PLACE}/tensorboards/555"}
            return json_answer({"name": EXPERIMENT, "metadata": board})
        if path.endswith("/contexts"):
            return json_answer({"contexts": [{"name": f"{EXPERIMENT}-run-1"}]})
        if path == f"{RUN}/timeSeries":
            return json_answer({"tensorboardTimeSeries": [*map(self.describe_series, self.series)]})
        if path.endswith(":batchRead"):
            names = [value for key, value in asked.query if key == "timeSeries"]
            return json_answer(
                {"timeSeriesData": [self.series_data(name.rsplit("/", 1)[-1]) for name in names]}
            )
        if path.endswith(":read"):
            return json_answer(
                {"timeSeriesData": self.series_data(path.rsplit("/", 1)[-1].removesuffix(":read"))}
            )
        return json_answer({"error": {"code": 404, "message": path}}, 404)

    def describe_series(self, metric: str) -> dict[str, Any]:
        points = self.series[metric]
        reach = {
            "maxStep": str(max(points)[0]),
            "maxWallTime": format_wall_time(max(wall for _, wall, _ in points)),
        }
        return {
            "name": f"{RUN}/timeSeries/{list(self.series).index(metric)}",
            "displayName": metric,
            "metadata": reach,
        }

    def series_data(self, number: str) -> dict[str, Any]:
        points = list(self.series.values())[int(number)]
        kept = points[: len(points) - self.held_back]
        return {"tensorboardTimeSeriesId": number, "values": [*iter_values(kept)]}


def iter_values(points: Iterable[Point]) -> Iterable[dict[str, Any]]:
    for step, wall, value in points:
        yield {"step": str(step), "wallTime": format_wall_time(wall), "scalar": {"value": json_number(value)}}


def json_number(value: float) -> float | str:
    """proto3 JSON has no literal for what is not finite."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def format_wall_time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat().replace("+00:00", "Z")
