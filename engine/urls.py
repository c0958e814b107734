"""The sitemap. Paths are matched after decoding, so `@` and `%40`, `/` and `%2F` are the same."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

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
                "METHOD_NOT_ALLOWED", f"{request.method} is not allowed here: {', '.join(views)} is."
            )
        return view(request, **ids)

    return dispatch


def at(path: str, **views: View) -> URLPattern:
    """A route under a project and location, which its views get as one Place."""
    dispatch = by_method(views)

    def placed(
        request: HttpRequest, version: str, project: str, location: str, **ids: str
    ) -> HttpResponseBase:
        return dispatch(request, place=Place(version, project, location), **ids)

    return re_path(LOCATION + path + "$", placed)


def route(path: str, **views: View) -> URLPattern:
    return re_path(f"^{path}$", by_method(views))


def health(request: HttpRequest) -> HttpResponse:
    return message_reader.reply({"status": "ok"})


urlpatterns = [
    path("healthz", health),
    route("(?P<version>v1|v1beta1)/tuningJobs", GET=tuning_jobs.list_everywhere),
    at("/tuningJobs", GET=tuning_jobs.list_jobs, POST=tuning_jobs.create),
    at("/tuningJobs:rebaseTunedModel", POST=tuning_jobs.rebase),
    at("/tuningJobs/(?P<job>[^/:]+)", GET=tuning_jobs.get),
    at("/tuningJobs/(?P<job>[^/:]+):cancel", POST=tuning_jobs.cancel),
    at(ENDPOINT + ":undeployModel", POST=endpoints.undeploy),
    at(ENDPOINT + ":(?P<verb>[a-zA-Z]+)", POST=generate_content.on_endpoint),
    at("/publishers/google/models/(?P<model>[^/:]+):(?P<verb>[a-zA-Z]+)", POST=generate_content.on_model),
    route(
        "(?P<version>v1|v1beta1)/publishers/google/models/(?P<model>[^/:]+):(?P<verb>[a-zA-Z]+)",
        POST=generate_content.on_model_alone,
    ),
    route("v1beta1/publishers/google/models", GET=publisher_models.list_models),
    at("/models", GET=api_models.list_models),
    at(MODEL, GET=api_models.get_model, PATCH=api_models.patch_model, DELETE=api_models.delete_model),
    at(MODEL + ":listVersions", GET=api_models.list_versions),
    at(MODEL + ":listCheckpoints", GET=api_models.list_checkpoints),
    at(MODEL + ":deleteVersion", DELETE=api_models.delete_version),
    at(MODEL + ":(?P<verb>[a-zA-Z]+)", POST=generate_content.on_tuned_model),
    at("/endpoints", GET=endpoints.list_endpoints),
    at(
        ENDPOINT,
        GET=endpoints.get_endpoint,
        PATCH=endpoints.patch_endpoint,
        DELETE=endpoints.delete_endpoint,
    ),
    at("/operations", GET=operations.list_operations),
    at("/operations/(?P<operation>[^/:]+)", GET=operations.get),
    at("/operations/(?P<operation>[^/:]+):wait", POST=operations.get),
    at(CONTEXTS, GET=tensorboard.list_contexts),
    at(CONTEXTS + r"/(?P<context>[^/:]+)", GET=tensorboard.get_context),
    at("/metadataStores/default/executions", GET=tensorboard.list_executions),
    at("/tensorboards", GET=tensorboard.list_boards),
    at(BOARD, GET=tensorboard.get_board),
    at(BOARD + ":batchRead", GET=time_series.batch_read),
    at(BOARD + "/experiments", GET=tensorboard.list_experiments),
    at(EXPERIMENT, GET=tensorboard.get_experiment),
    at(EXPERIMENT + "/runs", GET=tensorboard.list_runs),
    at(RUN, GET=tensorboard.get_run),
    at(RUN + "/timeSeries", GET=time_series.list_series),
    at(SERIES, GET=time_series.get_series),
    at(SERIES + ":read", GET=time_series.read_series),
    at(SERIES + ":exportTensorboardTimeSeries", POST=time_series.export_series),
    route("storage/v1/b", GET=gcs_views.list_buckets, POST=gcs_views.make_bucket),
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
        POST=gcs_views.upload,
        PUT=gcs_views.resume,
        DELETE=gcs_views.cancel_upload,
    ),
]

handler404 = errors.no_route
