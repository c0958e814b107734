"""The part of the Vertex AI REST API that tuning needs, with Vertex's own names, dicts in and out.

Every request goes through `Vertex._open_response`; errors are those of errors.py. A POST or PATCH is sent
once: the caller, who knows what it costs, decides about another try. A GET is tried once more, after a short
random pause, if the server was unreachable, broke off, or answered 5xx; not after 429 or a timeout.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import requests
from google.auth import exceptions as auth_exceptions

from studio.vertex import resource_names
from studio.vertex.auth import TIMEOUT, Place, base_url, session
from studio.vertex.errors import (
    DEADLINE,
    BadName,
    BadRequest,
    NotSent,
    OutcomeUnknown,
    VertexError,
    from_exception,
    from_response,
)
from studio.vertex.streaming import Json, iter_responses, read_all
from studio.vertex.time_series import Point, TimeSeries, parse_points, parse_time_series

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

    # ---- tuning jobs: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs

    def create_tuning_job(self, location: str, body: Json) -> Json:
        """Create a job and return it. It costs money and has no request id: after OutcomeUnknown, and after
        Conflict, search for the job before trying again."""
        job = self._request_json("POST", self._location_url(location) + "/tuningJobs", body=body)
        if not job.get("name"):
            raise OutcomeUnknown("The server's answer does not name a tuning job.")
        return job

    def list_tuning_jobs(
        self, location: str, filter: str | None = None, page_size: int = 100
    ) -> Iterator[Json]:
        """Yield all jobs of a location, in no promised order. The grammar of `filter` is not documented: if
        the server rejects it, every job is listed, so callers check each job themselves."""
        url = self._location_url(location, version="v1beta1") + "/tuningJobs"
        params: Params = {"pageSize": str(page_size)}
        listed = False
        try:
            for page in self._pages(url, params | ({"filter": filter} if filter else {})):
                listed = True
                yield from page.get("tuningJobs") or []
            return
        except BadRequest:
            if listed or not filter:
                raise
        yield from self.list_tuning_jobs(location, page_size=page_size)

    def get_tuning_job(self, name: str) -> Json:
        """Read a job through v1beta1, which alone has `tuningJobState` and the number of completed steps."""
        return self.get(name, version="v1beta1")

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
        board = (context.get("metadata") or {}).get("backing_tensorboard_resource")
        contexts, _, experiment_id = context["name"].rpartition("/")
        children = f'schema_title="system.ExperimentRun" AND parent_contexts:"{context["name"]}"'
        runs = (
            self._request_json("GET", self._resource_url(contexts), params={"filter": children}).get(
                "contexts"
            )
            or []
        )
        if not board or not runs:
            return None
        run_id = resource_names.id_of(runs[0]["name"]).removeprefix(f"{experiment_id}-")
        return f"{board}/experiments/{experiment_id}/runs/{run_id}"

    def list_time_series(self, name: str) -> list[TimeSeries]:
        """Return the curves of a job's `experiment`, or of the run that `tensorboard_run` found for it (one
        request instead of three)."""
        run = name if "/tensorboards/" in name else self.tensorboard_run(name)
        if run is None:
            return []
        pages = self._pages(self._resource_url(run) + "/timeSeries", {})
        return [parse_time_series(one) for page in pages for one in page.get("tensorboardTimeSeries") or []]

    def read_time_series(self, series: Sequence[TimeSeries]) -> dict[str, list[Point]]:
        """Return {displayName: [(step, wall time in seconds, value)]}, ascending, one point per step.

        Series that batchRead would sample are read one by one, so the result is complete.
        """
        answers = {
            resource_names.id_of(long["name"]): self._read_series(long) for long in series if _is_long(long)
        }
        short = [one["name"] for one in series if not _is_long(one)]
        for start in range(0, len(short), SERIES_PER_READ):
            answers |= self._batch_read(short[start : start + SERIES_PER_READ])
        return {
            one["displayName"]: parse_points(answers.get(resource_names.id_of(one["name"]), []))
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

    def get(self, name: str, version: str = "v1") -> Json:
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
            yield from page.get("publisherModels") or []

    # ---- addresses, pages and requests

    def _location_url(self, location: str, version: str = "v1") -> str:
        return self._resource_url(resource_names.location_name(self.place.project_id, location), version)

    def _resource_url(self, name: str, version: str = "v1") -> str:
        return f"{base_url(self.place, resource_names.location_of(name))}/{version}/{name}"

    def _pages(self, url: str, params: Params) -> Iterator[Json]:
        """Yield every page. A full page may follow an empty one; a repeated token ends the list."""
        tokens: set[str] = set()
        while True:
            page = self._request_json("GET", url, params=params)
            yield page
            token = page.get("nextPageToken")
            if not token or token in tokens:
                return
            tokens.add(token)
            params = params | {"pageToken": token}

    def _read_series(self, series: TimeSeries) -> list[Json]:
        most = MOST_POINTS if series["maxStep"] < MOST_POINTS else -1
        answer = self._request_json(
            "GET", self._resource_url(series["name"]) + ":read", params={"maxDataPoints": str(most)}
        )
        return (answer.get("timeSeriesData") or {}).get("values") or []

    def _batch_read(self, series_names: list[str]) -> dict[str, list[Json]]:
        board = series_names[0].partition("/experiments/")[0]
        answer = self._request_json(
            "GET", self._resource_url(board) + ":batchRead", params={"timeSeries": series_names}
        )
        data = answer.get("timeSeriesData") or []
        return {one["tensorboardTimeSeriesId"]: one.get("values") or [] for one in data}

    def _request_json(self, method: str, url: str, **request: Any) -> Json:
        try:
            return self._request_json_once(method, url, **request)
        except VertexError as error:
            if method != "GET" or not _is_retryable(error):
                raise
        time.sleep(_random.uniform(0, PAUSE))
        return self._request_json_once(method, url, **request)

    def _request_json_once(
        self, method: str, url: str, *, timeout: Timeout | None = None, **request: Any
    ) -> Json:
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
    except (ValueError, TypeError) as error:
        raise NotSent(f"The request cannot be written as JSON: {error}") from None


def _parse_object(body: bytes) -> Json:
    try:
        value = orjson.loads(body)
    except ValueError:
        value = _loads_lenient(body)
    if not isinstance(value, dict):
        raise OutcomeUnknown("The server's answer is not a JSON object.")
    return value


def _loads_lenient(body: bytes) -> Any:
    """Parse what orjson rejects and Python accepts: half a surrogate pair, a bare NaN."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise OutcomeUnknown("The server's answer is not JSON.") from None


def _read_error_body(response: requests.Response, seconds: float) -> bytes:
    """Return an error's body, or nothing if it breaks off: the status alone says that it is an error."""
    try:
        return read_all(response, seconds)
    except OutcomeUnknown:
        return b""


def _is_retryable(error: VertexError) -> bool:
    """Whether an immediate second try is likely to help."""
    if isinstance(error, OutcomeUnknown):
        slow = error.status == DEADLINE or error.code == 504
        return not slow and (error.code is None or error.code >= 500)
    return isinstance(error, NotSent) and not isinstance(error, BadName)


def _is_long(series: TimeSeries) -> bool:
    return series["maxStep"] >= SAMPLED_FROM
