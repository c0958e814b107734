"""The path to a job's metrics, as in Vertex AI: experiment -> TensorBoard -> run (-> time_series.py).

One TensorBoard per project and location, with an experiment per tuning job and one run in it.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tensorboards
"""

from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.api.resource_names import Place
from engine.protojson import message_reader
from engine.protojson.errors import not_found
from engine.protojson.pagination import build_list_response
from engine.queue.job_folder import JobFolder

Json = dict[str, Any]

BOARD = "1000000000000000001"
RUN = "tuning-run-1"
ORDERS = ("display_name", "create_time", "update_time")
_EXPERIMENT = "tuning-experiment-"


def experiment_id(folder: JobFolder) -> str:
    return _EXPERIMENT + folder.id


def experiment_name(place: Place, folder: JobFolder) -> str:
    return place.resource_name("metadataStores/default/contexts", experiment_id(folder))


def get_context(request: HttpRequest, place: Place, context: str) -> HttpResponse:
    experiment = context.removesuffix(f"-{RUN}")
    folder = _find_job(place, experiment)
    if folder is None:
        name = place.resource_name("metadataStores/default/contexts", context)
        raise not_found(f"The Context {name} does not exist.")
    return message_reader.json_response(
        _experiment_context(place, folder) if experiment == context else _run_context(place, folder)
    )


def list_contexts(request: HttpRequest, place: Place) -> HttpResponse:
    jobs = [folder for folder in place.jobs() if "startTime" in folder.state]
    contexts = [
        made for folder in jobs for made in (_experiment_context(place, folder), _run_context(place, folder))
    ]
    return message_reader.json_response(build_list_response(request, "contexts", contexts, orders=ORDERS))


def list_executions(request: HttpRequest, place: Place) -> HttpResponse:
    """A tuning job has none; google-cloud-aiplatform looks for them when it makes a table of a run."""
    return message_reader.json_response({})


def _find_job(place: Place, experiment: str) -> JobFolder | None:
    """The job of an experiment, which exists from the job's start on."""
    folder = (
        place.find_job(experiment.removeprefix(_EXPERIMENT)) if experiment.startswith(_EXPERIMENT) else None
    )
    return folder if folder and "startTime" in folder.state else None


def _timestamps(folder: JobFolder) -> Json:
    return {"createTime": folder.state["startTime"], "updateTime": folder.state["updateTime"]}


def _experiment_context(place: Place, folder: JobFolder) -> Json:
    board = place.resource_name("tensorboards", BOARD)
    return {
        "name": experiment_name(place, folder),
        "displayName": experiment_id(folder),
        "schemaTitle": "system.Experiment",
        "schemaVersion": "0.0.1",
        "metadata": {"experiment_deleted": False, "backing_tensorboard_resource": board},
        "etag": "1",
        **_timestamps(folder),
    }


def _run_context(place: Place, folder: JobFolder) -> Json:
    return {
        "name": f"{experiment_name(place, folder)}-{RUN}",
        "displayName": RUN,
        "schemaTitle": "system.ExperimentRun",
        "schemaVersion": "0.0.1",
        "metadata": {
            "_params": {},
            "_metrics": {},
            "_state": "COMPLETE" if folder.is_finished else "RUNNING",
        },
        "parentContexts": [experiment_name(place, folder)],
        **_timestamps(folder),
    }


def board_name(place: Place) -> str:
    return place.resource_name("tensorboards", BOARD)


def _board_resource(place: Place) -> Json:
    return {"name": board_name(place), "displayName": "default", "isDefault": True, "etag": "1"}


def list_boards(request: HttpRequest, place: Place) -> HttpResponse:
    return message_reader.json_response(
        build_list_response(request, "tensorboards", [_board_resource(place)], orders=ORDERS)
    )


def get_board(request: HttpRequest, place: Place, board: str) -> HttpResponse:
    _check_board(place, board)
    return message_reader.json_response(_board_resource(place))


def _check_board(place: Place, board: str) -> None:
    if board != BOARD:
        raise not_found(f"The Tensorboard {place.resource_name('tensorboards', board)} does not exist.")


def list_experiments(request: HttpRequest, place: Place, board: str) -> HttpResponse:
    _check_board(place, board)
    jobs = [folder for folder in place.jobs() if "startTime" in folder.state]
    resources = [_experiment_resource(place, folder) for folder in jobs]
    return message_reader.json_response(
        build_list_response(request, "tensorboardExperiments", resources, default=50, orders=ORDERS)
    )


def get_experiment(request: HttpRequest, place: Place, board: str, experiment: str) -> HttpResponse:
    return message_reader.json_response(_experiment_resource(place, run_job(place, board, experiment)))


def _experiment_resource(place: Place, folder: JobFolder) -> Json:
    name = f"{board_name(place)}/experiments/{experiment_id(folder)}"
    return {"name": name, "displayName": experiment_id(folder), **_timestamps(folder)}


def list_runs(request: HttpRequest, place: Place, board: str, experiment: str) -> HttpResponse:
    runs = [_run_resource(place, run_job(place, board, experiment))]
    return message_reader.json_response(
        build_list_response(request, "tensorboardRuns", runs, default=50, orders=ORDERS)
    )


def get_run(request: HttpRequest, place: Place, board: str, experiment: str, run: str) -> HttpResponse:
    return message_reader.json_response(_run_resource(place, run_job(place, board, experiment, run)))


def _run_resource(place: Place, folder: JobFolder) -> Json:
    return {"name": run_name(place, folder), "displayName": RUN, **_timestamps(folder)}


def run_name(place: Place, folder: JobFolder) -> str:
    return f"{board_name(place)}/experiments/{experiment_id(folder)}/runs/{RUN}"


def run_job(place: Place, board: str, experiment: str, run: str = RUN) -> JobFolder:
    _check_board(place, board)
    folder = _find_job(place, experiment)
    if folder is None:
        raise not_found(
            f"The TensorboardExperiment {board_name(place)}/experiments/{experiment} does not exist."
        )
    if run != RUN:
        raise not_found(f"The TensorboardRun {run} of {experiment} does not exist.")
    return folder
