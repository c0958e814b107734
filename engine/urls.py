"""The sitemap. Paths are matched after decoding, so `@` and `%40`, `/` and `%2F` are the same."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

from engine import services
from engine.api import (
    endpoints,
    generate_content,
    operations,
    publisher_models,
    tensorboard,
    time_series,
    tuning_jobs,
)
from engine.api import (
    models as api_models,
)
from engine.api.resource_names import Place
from engine.gcs import views as gcs_views
from engine.protojson import errors, message_reader
from engine.protojson.errors import ApiError

View = Callable[..., HttpResponseBase]

LOCATION = r"^(?P<version>v1|v1beta1)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
MODEL = r"/models/(?P<model>[^/:]+)"
ENDPOINT = r"/endpoints/(?P<endpoint>[^/:]+)"
BOARD = r"/tensorboards/(?P<board>[^/:]+)"
EXPERIMENT = BOARD + r"/experiments/(?P<experiment>[^/:]+)"
RUN = EXPERIMENT + r"/runs/(?P<run>[^/:]+)"
SERIES = RUN + r"/timeSeries/(?P<series>[^/:]+)"
CONTEXTS = r"/metadataStores/default/contexts"


def by_method(views: dict[str, View]) -> View:
    def dispatch(request: HttpRequest, **ids: str) -> HttpResponseBase:
        view = views.get(str(request.method))
        if view is None:
            raise ApiError(
                "METHOD_NOT_ALLOWED", f"{request.method} is not allowed here. Use {', '.join(views)}."
            )
        return view(request, **ids)

    return dispatch


def location_route(path: str, **views: View) -> URLPattern:
    """A route under a project and location, which its views get as one Place."""
    dispatch = by_method(views)

    def dispatch_at_location(
        request: HttpRequest, version: str, project: str, location: str, **ids: str
    ) -> HttpResponseBase:
        return dispatch(request, place=Place(version, project, location), **ids)

    return re_path(LOCATION + path + "$", dispatch_at_location)


def route(path: str, **views: View) -> URLPattern:
    return re_path(f"^{path}$", by_method(views))


def check_health(request: HttpRequest) -> HttpResponse:
    """Also tells how much memory the spare trainer holds; null where there is none."""
    spare = services.runner().describe_spare()
    return message_reader.json_response({"status": "ok", "spareTrainer": spare})


def warm_up(request: HttpRequest) -> HttpResponse:
    """Have a spare trainer ready for a job that may come soon. Not one of Google's calls."""
    services.runner().warm_up()
    return message_reader.json_response({})


urlpatterns = [
    path("healthz", check_health),
    route("engine/warm-up", POST=warm_up),
    route("(?P<version>v1|v1beta1)/tuningJobs", GET=tuning_jobs.list_all_jobs),
    location_route("/tuningJobs", GET=tuning_jobs.list_jobs, POST=tuning_jobs.create_tuning_job),
    location_route("/tuningJobs:rebaseTunedModel", POST=tuning_jobs.rebase_tuned_model),
    location_route("/tuningJobs/(?P<job>[^/:]+)", GET=tuning_jobs.get_tuning_job),
    location_route("/tuningJobs/(?P<job>[^/:]+):cancel", POST=tuning_jobs.cancel_tuning_job),
    location_route(ENDPOINT + ":undeployModel", POST=endpoints.undeploy_model),
    location_route(ENDPOINT + ":(?P<verb>[a-zA-Z]+)", POST=generate_content.call_endpoint),
    location_route(
        "/publishers/google/models/(?P<model>[^/:]+):(?P<verb>[a-zA-Z]+)", POST=generate_content.call_model
    ),
    route(
        "(?P<version>v1|v1beta1)/publishers/google/models/(?P<model>[^/:]+):(?P<verb>[a-zA-Z]+)",
        POST=generate_content.call_model_without_project,
    ),
    route("v1beta1/publishers/google/models", GET=publisher_models.list_models),
    location_route("/models", GET=api_models.list_models),
    location_route(
        MODEL, GET=api_models.get_model, PATCH=api_models.patch_model, DELETE=api_models.delete_model
    ),
    location_route(MODEL + ":listVersions", GET=api_models.list_versions),
    location_route(MODEL + ":listCheckpoints", GET=api_models.list_checkpoints),
    location_route(MODEL + ":deleteVersion", DELETE=api_models.delete_version),
    location_route(MODEL + ":(?P<verb>[a-zA-Z]+)", POST=generate_content.reject_tuned_model),
    location_route("/endpoints", GET=endpoints.list_endpoints),
    location_route(
        ENDPOINT,
        GET=endpoints.get_endpoint,
        PATCH=endpoints.patch_endpoint,
        DELETE=endpoints.delete_endpoint,
    ),
    location_route("/operations", GET=operations.list_operations),
    location_route("/operations/(?P<operation>[^/:]+)", GET=operations.get_operation),
    location_route("/operations/(?P<operation>[^/:]+):wait", POST=operations.get_operation),
    location_route(CONTEXTS, GET=tensorboard.list_contexts),
    location_route(CONTEXTS + r"/(?P<context>[^/:]+)", GET=tensorboard.get_context),
    location_route("/metadataStores/default/executions", GET=tensorboard.list_executions),
    location_route("/tensorboards", GET=tensorboard.list_boards),
    location_route(BOARD, GET=tensorboard.get_board),
    location_route(BOARD + ":batchRead", GET=time_series.batch_read),
    location_route(BOARD + "/experiments", GET=tensorboard.list_experiments),
    location_route(EXPERIMENT, GET=tensorboard.get_experiment),
    location_route(EXPERIMENT + "/runs", GET=tensorboard.list_runs),
    location_route(RUN, GET=tensorboard.get_run),
    location_route(RUN + "/timeSeries", GET=time_series.list_series),
    location_route(SERIES, GET=time_series.get_series),
    location_route(SERIES + ":read", GET=time_series.read_series),
    location_route(SERIES + ":exportTensorboardTimeSeries", POST=time_series.export_series),
    route("storage/v1/b", GET=gcs_views.list_buckets, POST=gcs_views.create_bucket),
    route("storage/v1/b/(?P<bucket>[^/]+)", GET=gcs_views.get_bucket),
    route("storage/v1/b/(?P<bucket>[^/]+)/o", GET=gcs_views.list_objects),
    route(
        "storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>.+)",
        GET=gcs_views.get_object,
        DELETE=gcs_views.delete_object,
    ),
    route("download/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>.+)", GET=gcs_views.get_object),
    route(
        "upload/storage/v1/b/(?P<bucket>[^/]+)/o",
        POST=gcs_views.upload_object,
        PUT=gcs_views.resume_upload,
        DELETE=gcs_views.cancel_upload,
    ),
]

handler404 = errors.route_not_found
