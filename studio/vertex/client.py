"""The part of the Vertex AI REST API that tuning needs, with Vertex's own names, dicts in and out.

Every request goes through `Vertex._open_response`; errors are those of errors.py. A POST or PATCH is sent
once: the caller, who knows what it costs, decides about another try. A GET is tried once more, after a short
random pause, if the server was unreachable, broke off, or answered 5xx; not after 429 or a timeout.

Answers come through the door of storable.py. One bad item of a list is left out, never the list.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from google.auth import exceptions as auth_exceptions

from studio.vertex import resource_names
from studio.vertex.auth import TIMEOUT, Place, base_url, session
from studio.vertex.errors import (
    DEADLINE,
    AnswerTooLarge,
    BadName,
    BadRequest,
    NotFound,
    NotSent,
    OutcomeUnknown,
    VertexError,
    from_exception,
    from_response,
)
from studio.vertex.storable import Resource, bound_resource, iter_items, parse_json
from studio.vertex.streaming import MAX_ERROR, Json, iter_responses, read_all
from studio.vertex.time_series import (
    LeftOut,
    Point,
    TimeSeries,
    parse_points,
    parse_series_list,
    series_values,
)

GENERATE_TIMEOUT = (5.0, 120.0)
"""A model may think for a while before its first word."""
# Seconds; random below that, so that many clients do not come back at the same moment.
PAUSE = 0.5
SERIES_PER_READ = 20
"""batchRead refuses more: "Maximum of 20 TensorboardTimeSeries to read."."""
SAMPLED_FROM = 1000
"""From this many points on, batchRead returns a random sample."""
MOST_POINTS = 10_000
"""Longer series are read with `maxDataPoints` -1, which means all of them."""
MAX_PAGES = 1000
"""Pages of a list: 100,000 jobs. A list that names a next page for ever ends here, with an error."""
_random = random.SystemRandom()

Params = dict[str, str | list[str]]
Timeout = tuple[float, float]
"""Seconds to connect, and seconds without a byte."""


class Vertex:
    """Vertex AI or the engine, as `place` says. Stateless: auth.py holds one session per place."""

    def __init__(
        self, place: Place, *, timeout: Timeout = TIMEOUT, generate_timeout: Timeout = GENERATE_TIMEOUT
    ) -> None:
        self.place = place
        self.timeout = timeout
        self.generate_timeout = generate_timeout

    def prepare(self) -> None:
        """Load the credentials. Nothing is sent to the service: whatever fails here, nothing was done."""
        session(self.place)

    # ---- tuning jobs: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs

    def create_tuning_job(self, location: str, body: Json) -> Resource:
        """Create a job and return it. It costs money and has no request id: after OutcomeUnknown, and after
        Conflict, search for the job before trying again."""
        job = self._request_json("POST", self._location_url(location) + "/tuningJobs", body=body)
        if not resource_names.is_name(job.get("name")):
            raise OutcomeUnknown("The server's answer does not name a tuning job.")
        return bound_resource(job)

    def list_tuning_jobs(
        self, location: str, filter: str | None = None, page_size: int = 100
    ) -> Iterator[Resource]:
        """Yield all jobs of a location, in no promised order. The grammar of `filter` is not documented: if
        the server rejects it, every job is listed, so callers check each job themselves."""
        url = self._location_url(location, version="v1beta1") + "/tuningJobs"
        params: Params = {"pageSize": str(page_size)}
        listed = False
        try:
            for page in self._pages(url, params | ({"filter": filter} if filter else {})):
                listed = True
                yield from map(bound_resource, iter_items(page, "tuningJobs"))
            return
        except BadRequest:
            if listed or not filter:
                raise
        yield from self.list_tuning_jobs(location, page_size=page_size)

    def get_tuning_job(self, name: str) -> Resource:
        """Read a job through v1beta1, which alone has `tuningJobState` and the number of completed steps."""
        return bound_resource(self.get(name, version="v1beta1"))

    def cancel_tuning_job(self, name: str) -> Json:
        """Request cancellation; the job may still end otherwise. After any Refused, read the job again."""
        return self._request_json("POST", self._resource_url(name) + ":cancel")

    def warm_up(self) -> None:
        """Tell that a job may start soon: the engine loads what a trainer needs. Vertex AI has no such call,
        and none is made."""
        if self.place.on_engine:
            self._request_json("POST", self.place.engine_url.rstrip("/") + "/engine/warm-up", body={})

    # ---- metrics: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tensorboards

    def tensorboard_run(self, experiment: str) -> str | None:
        """Return the TensorBoard run behind a job's `experiment` (a context's name), or None."""
        context = self.get(experiment)
        name, metadata = context.get("name"), context.get("metadata")
        board = metadata.get("backing_tensorboard_resource") if isinstance(metadata, dict) else None
        if not resource_names.is_name(name) or (board and not resource_names.is_name(board)):
            raise OutcomeUnknown("The job's experiment does not name its TensorBoard.")
        contexts, _, experiment_id = name.rpartition("/")
        children = f'schema_title="system.ExperimentRun" AND parent_contexts:"{name}"'
        answer = self._request_json("GET", self._resource_url(contexts), params={"filter": children})
        runs = [
            run["name"] for run in iter_items(answer, "contexts") if resource_names.is_name(run.get("name"))
        ]
        if not board or not runs:
            return None
        run_id = resource_names.id_of(runs[0]).removeprefix(f"{experiment_id}-")
        return f"{board}/experiments/{experiment_id}/runs/{run_id}"

    def list_time_series(self, name: str, left_out: LeftOut | None = None) -> list[TimeSeries]:
        """Return the curves of a job's `experiment`, or of the run that `tensorboard_run` found for it (one
        request instead of three). `left_out` gets the number of those that can't be read, under ""."""
        run = name if "/tensorboards/" in name else self.tensorboard_run(name)
        if run is None:
            return []
        pages = self._pages(self._resource_url(run) + "/timeSeries", {})
        return parse_series_list(pages, {} if left_out is None else left_out)

    def read_time_series(
        self, series: Sequence[TimeSeries], left_out: LeftOut | None = None
    ) -> dict[str, list[Point]]:
        """Return {displayName: [(step, wall time in seconds, value)]}, ascending, one point per step.

        Series that batchRead would sample are read one by one, so the result is complete. `left_out` gets the
        number of points of each that can't be read. A series that is refused alone has none.
        """
        answers: dict[str, list[Any]] = {}
        refusals: list[VertexError] = []
        for one in series:
            if _is_long(one):
                answers |= self._read_or_skip(one, refusals)
        short = [one for one in series if not _is_long(one)]
        for start in range(0, len(short), SERIES_PER_READ):
            answers |= self._batch_read(short[start : start + SERIES_PER_READ], refusals)
        if refusals and not answers:
            raise refusals[0]
        counts: LeftOut = {} if left_out is None else left_out
        return {
            one["displayName"]: parse_points(
                answers.get(resource_names.id_of(one["name"]), []), counts, one["displayName"]
            )
            for one in series
        }

    # ---- models: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints

    def publisher_model(self, location: str, model_id: str) -> str:
        """Return the resource name of an untuned base model."""
        return resource_names.publisher_model_name(self.place.project_id, location, model_id)

    def generate_content(self, resource: str, body: Json, version: str = "v1") -> Json:
        """Return the answer of an endpoint or publisher model. It may have no candidate, or an empty one."""
        url = self._resource_url(resource, version) + ":generateContent"
        return self._request_json("POST", url, body=body, timeout=self.generate_timeout)

    def stream_generate_content(self, resource: str, body: Json) -> Generator[Json, None, None]:
        """Yield GenerateContentResponses, each with the new text. The request is sent at the first `next`;
        closing the generator closes the connection. Raises StreamBroken if the stream stops early."""
        url = self._resource_url(resource) + ":streamGenerateContent"
        params: Params = {"alt": "sse"}
        with self._open_response(
            "POST", url, body=body, params=params, timeout=self.generate_timeout
        ) as response:
            yield from iter_responses(response)

    def count_tokens(self, resource: str, body: Json) -> Json:
        return self._request_json("POST", self._resource_url(resource) + ":countTokens", body=body)

    def get(self, name: str, version: str = "v1") -> Resource:
        """Return any resource by its name."""
        return self._request_json("GET", self._resource_url(name, version))

    def set_default_checkpoint(self, model: str, checkpoint_id: str) -> Json:
        """Set the default and return the Model. Like google-genai, without an updateMask; `models/ID@VERSION`
        changes that version. https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models/patch
        """
        return self._request_json(
            "PATCH", self._resource_url(model), body={"defaultCheckpointId": checkpoint_id}
        )

    def publisher_models(self, location: str) -> Iterator[Json]:
        """https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list"""
        url = f"{base_url(self.place, location)}/v1beta1/publishers/google/models"
        for page in self._pages(url, {}):
            yield from iter_items(page, "publisherModels")

    # ---- addresses, pages and requests

    def _location_url(self, location: str, version: str = "v1") -> str:
        return self._resource_url(resource_names.location_name(self.place.project_id, location), version)

    def _resource_url(self, name: str, version: str = "v1") -> str:
        return f"{base_url(self.place, resource_names.location_of(name))}/{version}/{name}"

    def _pages(self, url: str, params: Params) -> Iterator[Resource]:
        """Yield every page. A full page may follow an empty one; a repeated token ends the list. Raises
        AnswerTooLarge after MAX_PAGES."""
        tokens: set[str] = set()
        for _page in range(MAX_PAGES):
            page = self._request_json("GET", url, params=params)
            yield page
            token = page.get("nextPageToken")
            if not token:
                return
            if not isinstance(token, str):
                raise OutcomeUnknown("The name of the list's next page is not a text.")
            if token in tokens:
                return
            tokens.add(token)
            params = params | {"pageToken": token}
        raise AnswerTooLarge(f"The list has more than {MAX_PAGES:,} pages.")

    def _read_series(self, series: TimeSeries) -> dict[str, list[Any]]:
        most = MOST_POINTS if series["maxStep"] < MOST_POINTS else -1
        answer = self._request_json(
            "GET", self._resource_url(series["name"]) + ":read", params={"maxDataPoints": str(most)}
        )
        return {resource_names.id_of(series["name"]): series_values(answer.get("timeSeriesData"))}

    def _read_or_skip(self, series: TimeSeries, refusals: list[VertexError]) -> dict[str, list[Any]]:
        """Read one series; one that the service refuses is noted instead, and costs the others nothing."""
        try:
            return self._read_series(series)
        except (BadRequest, NotFound) as error:
            refusals.append(error)
            return {}

    def _batch_read(self, series: list[TimeSeries], refusals: list[VertexError]) -> dict[str, list[Any]]:
        board = series[0]["name"].partition("/experiments/")[0]
        names = [one["name"] for one in series]
        try:
            answer = self._request_json(
                "GET", self._resource_url(board) + ":batchRead", params={"timeSeries": names}
            )
        except (BadRequest, NotFound):
            found = [self._read_or_skip(one, refusals) for one in series]
            return {key: values for each in found for key, values in each.items()}
        return {
            str(one.get("tensorboardTimeSeriesId")): series_values(one)
            for one in iter_items(answer, "timeSeriesData")
        }

    def _request_json(self, method: str, url: str, **request: Any) -> Resource:
        try:
            return self._request_json_once(method, url, **request)
        except VertexError as error:
            if method != "GET" or not _is_retryable(error):
                raise
        time.sleep(_random.uniform(0, PAUSE))
        return self._request_json_once(method, url, **request)

    def _request_json_once(
        self, method: str, url: str, *, timeout: Timeout | None = None, **request: Any
    ) -> Resource:
        timeout = timeout or self.timeout
        with self._open_response(method, url, timeout=timeout, **request) as response:
            return _parse_object(read_all(response, sum(timeout)))

    @contextmanager
    def _open_response(
        self,
        method: str,
        url: str,
        *,
        body: Json | None = None,
        params: Params | None = None,
        timeout: Timeout,
    ) -> Iterator[requests.Response]:
        """Send a request and yield a 2xx response whose body is unread. All requests go through here."""
        try:
            response = session(self.place).request(
                method,
                url,
                params=params,
                data=None if body is None else _encode_body(body),
                headers={"Content-Type": "application/json; charset=utf-8"} if method != "GET" else None,
                timeout=timeout,
                stream=True,
            )
        except (requests.RequestException, auth_exceptions.GoogleAuthError) as error:
            # The original may quote a file's path or a secret address, so the traceback must not have it.
            raise from_exception(error) from None
        with response:
            if not 200 <= response.status_code < 300:
                raise from_response(response, _read_error_body(response, sum(timeout)))
            yield response


def _encode_body(body: Json) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise NotSent(f"The request cannot be written as JSON: {error}") from None


def _parse_object(body: bytes) -> Resource:
    try:
        value = parse_json(body)
    except ValueError:
        raise OutcomeUnknown("The server's answer is not JSON.") from None
    if not isinstance(value, Resource):
        raise OutcomeUnknown("The server's answer is not a JSON object.")
    return value


def _read_error_body(response: requests.Response, seconds: float) -> bytes:
    """Return an error's body, or nothing if it breaks off or has no end: the status alone says that it is an
    error."""
    try:
        return read_all(response, seconds, MAX_ERROR)
    except OutcomeUnknown:
        return b""


def _is_retryable(error: VertexError) -> bool:
    """Whether an immediate second try is likely to help."""
    if isinstance(error, AnswerTooLarge):
        return False
    if isinstance(error, OutcomeUnknown):
        slow = error.status == DEADLINE or error.code == 504
        return not slow and (error.code is None or error.code >= 500)
    return isinstance(error, NotSent) and not isinstance(error, BadName)


def _is_long(series: TimeSeries) -> bool:
    return series["maxStep"] >= SAMPLED_FROM
