"""The way to a job's metrics, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from engine.api.time_series import _data_point, _thin_points
from engine.training.metrics_log import Point
from tests.engine.running_engine import PROJECT, Engine

CONTEXTS = f"{PROJECT}/metadataStores/default/contexts"
SERIES = {
    f"/{kind}_{name}"
    for kind in ("train", "eval")
    for name in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
}


@pytest.fixture(scope="module")
def run(engine: Engine, tuned: dict[str, Any]) -> str:
    """The name of the tuned job's run, found as Google's notebook finds it."""
    context = engine.get(f"v1/{tuned['experiment']}").json()
    assert context["schemaTitle"] == "system.Experiment"
    board = context["metadata"]["backing_tensorboard_resource"]
    asked = f'schema_title="system.ExperimentRun" AND parent_contexts:"{context["name"]}"'
    found = engine.get(CONTEXTS, params={"filter": asked}).json()["contexts"]
    assert [child["parentContexts"] for child in found] == [[context["name"]]]
    experiment = context["name"].rpartition("/")[2]
    run_id = found[0]["name"].rpartition("/")[2].removeprefix(f"{experiment}-")
    name = f"{board}/experiments/{experiment}/runs/{run_id}"
    assert engine.get(f"v1/{name}").json()["name"] == name
    return name


@pytest.fixture(scope="module")
def series(engine: Engine, run: str) -> dict[str, dict[str, Any]]:
    listed = engine.get(f"v1/{run}/timeSeries").json()["tensorboardTimeSeries"]
    return {one["displayName"]: one for one in listed}


def test_all_six_series_are_listed_with_their_newest_step(series: dict[str, dict[str, Any]]) -> None:
    assert set(series) == SERIES
    assert {one["metadata"]["maxStep"] for one in series.values()} == {"4"}
    for one in series.values():
        assert datetime.fromisoformat(one["metadata"]["maxWallTime"])


def test_batch_read_returns_every_point_in_order(engine: Engine, run: str, series: dict[str, Any]) -> None:
    board = run.partition("/experiments")[0]
    names = [one["name"] for one in series.values()]
    data = engine.get(f"v1/{board}:batchRead", params={"timeSeries": names}).json()["timeSeriesData"]
    by_id = {one["tensorboardTimeSeriesId"]: one["values"] for one in data}
    steps = {
        name: [int(point.get("step", "0")) for point in by_id[one["name"].rpartition("/")[2]]]
        for name, one in series.items()
    }
    assert steps["/train_total_loss"] == [1, 2, 3, 4]
    assert steps["/eval_total_loss"][0] == 0
    assert steps["/eval_total_loss"] == sorted(set(steps["/eval_total_loss"]))
    for values in by_id.values():
        assert all(set(point) <= {"step", "wallTime", "scalar"} for point in values)
        assert "step" not in values[0] or values[0]["step"] != "0"


def test_batch_read_of_more_than_twenty_series_is_refused(
    engine: Engine, run: str, series: dict[str, Any]
) -> None:
    board = run.partition("/experiments")[0]
    name = series["/train_total_loss"]["name"]
    for count, status in ((20, 200), (21, 400)):
        response = engine.get(f"v1/{board}:batchRead", params={"timeSeries": [name] * count})
        assert response.status_code == status
    assert response.json()["error"]["message"] == "Maximum of 20 TensorboardTimeSeries to read."


def test_read_and_export_filter_points_by_step(engine: Engine, series: dict[str, Any]) -> None:
    name = f"v1/{series['/train_total_loss']['name']}"
    read = engine.get(f"{name}:read", params={"maxDataPoints": 500, "filter": "step > 2"}).json()
    assert [point["step"] for point in read["timeSeriesData"]["values"]] == ["3", "4"]
    between = engine.get(f"{name}:read", params={"filter": "step>=2 AND step < 4"}).json()
    assert [point["step"] for point in between["timeSeriesData"]["values"]] == ["2", "3"]
    body = {"pageSize": 3, "orderBy": "step"}
    first = engine.post(f"{name}:exportTensorboardTimeSeries", body).json()
    rest = engine.post(
        f"{name}:exportTensorboardTimeSeries", {**body, "page_token": first["nextPageToken"]}
    ).json()
    points = first["timeSeriesDataPoints"] + rest["timeSeriesDataPoints"]
    assert [point["step"] for point in points] == ["1", "2", "3", "4"]
    assert "nextPageToken" not in rest
    turned = engine.post(f"{name}:exportTensorboardTimeSeries", {"orderBy": "step desc"}).json()
    assert turned["timeSeriesDataPoints"] == points[::-1]
    assert engine.post(f"{name}:exportTensorboardTimeSeries", {"orderBy": "value"}).status_code == 400
    assert engine.get(f"{name}:read", params={"filter": "value > 2"}).status_code == 400


def test_series_points_are_ordered_filtered_and_thinned(
    engine: Engine, run: str, series: dict[str, Any]
) -> None:
    asked = {
        "orderBy": "display_name desc",
        "filter": 'display_name="/train*"',
        "readMask": "name,display_name",
    }
    found = engine.get(f"v1/{run}/timeSeries", params=asked).json()["tensorboardTimeSeries"]
    names = [one["displayName"] for one in found]
    assert names == sorted((name for name in series if name.startswith("/train")), reverse=True)
    assert all(set(one) == {"name", "displayName"} for one in found)


def test_run_is_found_by_the_queries_of_get_data_frame(engine: Engine, run: str) -> None:
    """The questions of google-cloud-aiplatform's Experiment.get_data_frame."""
    experiment = run.partition("/experiments/")[2].partition("/")[0]
    context = f"{CONTEXTS}/{experiment}".removeprefix("v1/")
    kinds = '(schema_title="system.ExperimentRun" OR schema_title="system.PipelineRun")'
    asked = {"filter": f'{kinds} AND parent_contexts:"{context}"', "orderBy": "create_time"}
    (found,) = engine.get(CONTEXTS, params=asked).json()["contexts"]
    assert found["name"].startswith(context) and found["schemaTitle"] == "system.ExperimentRun"
    within = {"filter": f'(schema_title="system.Run") AND in_context("{context}")'}
    assert engine.get(f"{PROJECT}/metadataStores/default/executions", params=within).json() == {}


def test_series_are_paged(engine: Engine, run: str, series: dict[str, Any]) -> None:
    first = engine.get(f"v1/{run}/timeSeries", params={"pageSize": 4}).json()
    token = first["nextPageToken"]
    rest = engine.get(f"v1/{run}/timeSeries", params={"pageToken": token}).json()
    listed = first["tensorboardTimeSeries"] + rest["tensorboardTimeSeries"]
    assert [one["displayName"] for one in listed] == list(series)


def test_runs_experiments_and_boards_are_listed(engine: Engine, run: str) -> None:
    board, _, path = run.partition("/experiments/")
    experiment = path.partition("/")[0]
    runs = engine.get(f"v1/{board}/experiments/{experiment}/runs").json()["tensorboardRuns"]
    assert [found["name"] for found in runs] == [run]
    boards = engine.get(f"{PROJECT}/tensorboards").json()["tensorboards"]
    assert [found["name"] for found in boards] == [board]
    experiments = engine.get(f"v1/{board}/experiments").json()["tensorboardExperiments"]
    assert f"{board}/experiments/{experiment}" in [found["name"] for found in experiments]


@pytest.mark.parametrize(
    "path",
    [
        "metadataStores/default/contexts/tuning-experiment-1",
        "tensorboards/555",
        "tensorboards/1000000000000000001/experiments/e",
        "tensorboards/1000000000000000001/experiments/e/runs/r/timeSeries",
    ],
)
def test_missing_resource_returns_404(engine: Engine, path: str) -> None:
    assert engine.get(f"{PROJECT}/{path}").json()["error"]["status"] == "NOT_FOUND"


def test_pending_job_has_no_experiment(engine: Engine) -> None:
    first, second = engine.tune(epochs=5000), engine.tune()
    number = second["name"].rpartition("/")[2]
    assert engine.get(f"{CONTEXTS}/tuning-experiment-{number}").status_code == 404
    for job in (second, first):
        engine.post(f"v1/{job['name']}:cancel")


@pytest.mark.parametrize(
    ("value", "scalar"), [(0.0, {}), (0.5, {"value": 0.5}), (float("nan"), {"value": "NaN"})]
)
def test_zero_is_omitted_and_non_finite_values_are_strings(value: float, scalar: dict[str, Any]) -> None:
    point = Point(series="/train_total_loss", step=0, wallTime=0.5, value=value)
    assert _data_point(point) == {"wallTime": "1970-01-01T00:00:00.500000Z", "scalar": scalar}


def test_thinning_keeps_the_last_point() -> None:
    points = [Point(series="s", step=step, wallTime=0.0, value=1.0) for step in range(100)]
    thinned = [point["step"] for point in _thin_points(points, 10)]
    assert (len(thinned), thinned[-1]) == (10, 99)
    assert _thin_points(points, -1) == points
