"""The points of a job's metrics, as TensorBoard time series: one per metric.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tensorboards.experiments.runs.timeSeries
"""

import math
import operator
import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse

from engine.api.resource_names import Place
from engine.api.tensorboard import ORDERS, RUN, board_name, experiment_id, run_job, run_name
from engine.protojson import message_reader
from engine.protojson.errors import invalid_argument, not_found
from engine.protojson.numbers import parse_whole_number, shorten
from engine.protojson.pagination import build_list_response, parse_page_size
from engine.queue.job_folder import JobFolder
from engine.training.metrics_log import Point

Json = dict[str, Any]

MOST_SERIES = 20  # as the reference page of batchRead says
_NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_COMPARISONS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}


def series_id(display_name: str) -> str:
    return str(zlib.crc32(display_name.encode()))


def group_points(folder: JobFolder) -> dict[str, list[Point]]:
    """Display name -> its points by ascending step; of two points of a step, the one written later."""
    found: dict[str, dict[int, Point]] = {}
    for point in folder.read_points():
        found.setdefault(point["series"], {})[point["step"]] = point
    return {name: [points[step] for step in sorted(points)] for name, points in found.items()}


def list_series(request: HttpRequest, place: Place, board: str, experiment: str, run: str) -> HttpResponse:
    folder = run_job(place, board, experiment, run)
    resources = [_series_resource(place, folder, *entry) for entry in group_points(folder).items()]
    return message_reader.json_response(
        build_list_response(request, "tensorboardTimeSeries", resources, default=50, orders=ORDERS)
    )


def get_series(
    request: HttpRequest, place: Place, board: str, experiment: str, run: str, series: str
) -> HttpResponse:
    folder = run_job(place, board, experiment, run)
    return message_reader.json_response(_series_resource(place, folder, *_find_series(folder, series)))


def _series_resource(place: Place, folder: JobFolder, display_name: str, points: list[Point]) -> Json:
    last, latest = points[-1], max(point["wallTime"] for point in points)
    return {
        "name": f"{run_name(place, folder)}/timeSeries/{series_id(display_name)}",
        "displayName": display_name,
        "valueType": "SCALAR",
        "pluginName": "scalars",
        "createTime": message_reader.format_timestamp(points[0]["wallTime"]),
        "updateTime": message_reader.format_timestamp(latest),
        "etag": str(len(points)),
        "metadata": {
            **({"maxStep": str(last["step"])} if last["step"] else {}),
            "maxWallTime": message_reader.format_timestamp(latest),
        },
    }


def _find_series(folder: JobFolder, series: str) -> tuple[str, list[Point]]:
    for display_name, points in group_points(folder).items():
        if series_id(display_name) == series:
            return display_name, points
    raise not_found(f"The TensorboardTimeSeries {series} of {experiment_id(folder)} does not exist.")


def batch_read(request: HttpRequest, place: Place, board: str) -> HttpResponse:
    """Every point of up to 20 series; unlike Vertex AI, without a random sample above 1000 points."""
    names = request.GET.getlist("timeSeries")
    if len(names) > MOST_SERIES:
        raise invalid_argument(f"Maximum of {MOST_SERIES} TensorboardTimeSeries to read.", "time_series")

    @cache
    def points_of(experiment: str) -> dict[str, list[Point]]:
        found = group_points(run_job(place, board, experiment))
        return {series_id(display_name): points for display_name, points in found.items()}

    data = [_batch_data(place, name, points_of) for name in names]
    return message_reader.json_response({"timeSeriesData": data} if data else {})


def _batch_data(place: Place, name: str, points_of: Callable[[str], dict[str, list[Point]]]) -> Json:
    pattern = rf"{re.escape(board_name(place))}/experiments/([^/]+)/runs/{RUN}/timeSeries/(\d+)"
    match = re.fullmatch(pattern, name)
    if match is None:
        raise invalid_argument(f"Invalid TensorboardTimeSeries name: {name}", "time_series")
    experiment, series = match.groups()
    points = points_of(experiment).get(series)
    if points is None:
        raise not_found(f"The TensorboardTimeSeries {name} does not exist.")
    return _time_series_data(series, points)


def _time_series_data(series: str, points: list[Point]) -> Json:
    return {
        "tensorboardTimeSeriesId": series,
        "valueType": "SCALAR",
        "values": [_data_point(point) for point in points],
    }


def _data_point(point: Point) -> Json:
    """As proto3 writes it: zero is not written, and what JSON has no number for is a string."""
    value = point["value"] if math.isfinite(point["value"]) else _NON_FINITE[str(point["value"])]
    return {
        "wallTime": message_reader.format_timestamp(point["wallTime"]),
        **({"step": str(point["step"])} if point["step"] else {}),
        "scalar": {"value": value} if value else {},
    }


def read_series(
    request: HttpRequest, place: Place, board: str, experiment: str, run: str, series: str
) -> HttpResponse:
    """The points that match `filter`, thinned evenly to maxDataPoints."""
    _, points = _find_series(run_job(place, board, experiment, run), series)
    kept = _filter_points(points, request.GET.get("filter", ""))
    most = _parse_most_points(request.GET.get("maxDataPoints", "-1"))
    return message_reader.json_response(
        {"timeSeriesData": _time_series_data(series, _thin_points(kept, most))}
    )


def _parse_most_points(text: str) -> int:
    wrong = invalid_argument("max_data_points must be a whole number, or -1 for all.", "max_data_points")
    return -1 if text == "-1" else parse_whole_number(text, wrong)


def _thin_points(points: list[Point], most: int) -> list[Point]:
    if most < 1 or len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(last * (number + 1) / most)] for number in range(most)]


def _filter_points(points: list[Point], text: str) -> list[Point]:
    """Vertex AI's grammar is not documented; `step > 12 AND step <= 20` and its kin are understood."""
    for part in re.split(r"\s+AND\s+", text.strip()) if text.strip() else ():
        match = re.fullmatch(r"step\s*(>=|<=|>|<|=)\s*([0-9]{1,19})", part)
        if match is None:
            raise invalid_argument(
                f"Invalid filter: {shorten(text)}. Example: step > 12 AND step <= 20", "filter"
            )
        keep, bound = _COMPARISONS[match.group(1)], int(match.group(2))
        points = [point for point in points if keep(point["step"], bound)]
    return points


def _sort_points(points: list[Point], order_by: str) -> list[Point]:
    match = re.fullmatch(r"\s*(step|wall_?time)?(\s+desc|\s+asc)?\s*", order_by, re.IGNORECASE)
    if match is None:
        raise invalid_argument(
            f"Invalid order_by: {order_by!r}. Order by step or wall_time, or step desc.", "order_by"
        )
    field: Literal["step", "wallTime"] = "wallTime" if (match[1] or "").lower().startswith("w") else "step"
    return sorted(points, key=lambda point: point[field], reverse=(match[2] or "").strip() == "desc")


def export_series(
    request: HttpRequest, place: Place, board: str, experiment: str, run: str, series: str
) -> HttpResponse:
    """Pages of points by ascending step, or descending where orderBy asks for it."""
    body = message_reader.read_message(request, "ExportTensorboardTimeSeriesDataRequest")
    _, points = _find_series(run_job(place, board, experiment, run), series)
    kept = _sort_points(_filter_points(points, body.get("filter", "")), body.get("orderBy", ""))
    size = parse_page_size(str(body.get("pageSize", "")), default=1000, most=10_000)
    unknown = invalid_argument("The page token is invalid. Start the export again without it.", "page_token")
    start = parse_whole_number(body.get("pageToken") or "0", unknown)
    answer: Json = {"timeSeriesDataPoints": [_data_point(point) for point in kept[start : start + size]]}
    return message_reader.json_response(
        {**answer, "nextPageToken": str(start + size)} if start + size < len(kept) else answer
    )
