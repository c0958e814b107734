"""generateContent, streamGenerateContent and countTokens, of tuned endpoints and of base models.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from engine.api.generate_request import parse_conversation, parse_messages, parse_options
from engine.api.resource_names import Place
from engine.api.tuned_model import TunedModel
from engine.base_models.registry import ResolvedModel, resolve_base_model
from engine.inference.options import ChosenToken, GenerationChunk, TokenLogprob
from engine.protojson import message_reader
from engine.protojson.errors import (
    JSON,
    ApiError,
    as_api_error,
    invalid_argument,
    not_found,
    not_implemented,
    rpc_status,
)
from engine.services import server

Json = dict[str, Any]
GenerationChunks = Generator[GenerationChunk, None, None]

VERBS = ("generateContent", "streamGenerateContent", "countTokens")
TRAFFIC = {"trafficType": "ON_DEMAND"}

# The models are in use by one request at a time; more than these few in line would only hold threads back
# that others need.
MOST_WAITING = 8
_slots = threading.BoundedSemaphore(MOST_WAITING)


@dataclass(frozen=True, slots=True)
class Target:
    """The model that answers: a base, or an adapter on it."""

    resolved: ResolvedModel
    adapter: Path | None = None


def call_endpoint(request: HttpRequest, place: Place, endpoint: str, verb: str) -> HttpResponseBase:
    return dispatch_verb(request, resolve_endpoint(place, endpoint), verb)


def resolve_endpoint(place: Place, endpoint: str) -> Target:
    tuned, checkpoint_id = TunedModel.of_endpoint(place, endpoint)
    name = place.resource_name("endpoints", endpoint)
    checkpoint = tuned.find_checkpoint(checkpoint_id)
    if checkpoint is None:
        message = (
            f"The Endpoint {name} is not ready. Its checkpoint {checkpoint_id} has not been trained yet."
        )
        raise ApiError("FAILED_PRECONDITION", message)
    if checkpoint_id in tuned.changes.undeployed:
        raise ApiError("FAILED_PRECONDITION", f"The Endpoint {name} has no deployed model.")
    resolved = resolve_base_model(tuned.job["model"])
    if resolved is None:
        message = f"The base model {tuned.job['model']} of this endpoint is no longer installed."
        raise ApiError("FAILED_PRECONDITION", message)
    return Target(resolved, checkpoint.folder)


def call_model(request: HttpRequest, place: Place, model: str, verb: str) -> HttpResponseBase:
    return dispatch_verb(
        request, resolve_model(place.resource_name("publishers/google/models", model), model), verb
    )


def call_model_without_project(request: HttpRequest, version: str, model: str, verb: str) -> HttpResponseBase:
    """For clients with an API key, which name no project."""
    return dispatch_verb(request, resolve_model(f"publishers/google/models/{model}", model), verb)


def reject_tuned_model(request: HttpRequest, place: Place, model: str, verb: str) -> HttpResponseBase:
    if verb not in VERBS:
        raise not_implemented(verb)
    raise malformed_model_name(place.resource_name("models", model))


def resolve_model(name: str, model: str) -> Target:
    if model.partition("@")[0].isdecimal():
        raise malformed_model_name(name)
    resolved = resolve_base_model(model)
    if resolved is None:
        raise not_found(f"Publisher Model `{name}` was not found.")
    return Target(resolved)


def malformed_model_name(name: str) -> ApiError:
    return invalid_argument(
        f"The Model name `{name}` is malformed. To call a tuned model, use its endpoint: "
        "projects/PROJECT/locations/LOCATION/endpoints/ENDPOINT."
    )


def dispatch_verb(request: HttpRequest, target: Target, verb: str) -> HttpResponseBase:
    match verb:
        case "generateContent":
            return generate_content(request, target)
        case "streamGenerateContent":
            return stream_generate_content(request, target)
        case "countTokens":
            return count_tokens(request, target)
    raise not_implemented(verb)


def generate_content(request: HttpRequest, target: Target) -> HttpResponse:
    body = message_reader.read_message(request, "GenerateContentRequest")
    found = list(generate_chunks(target, body))
    candidates = [candidate(list(of_one)) for _, of_one in groupby(found, key=attrgetter("index"))]
    return message_reader.json_response(
        {"candidates": candidates, "usageMetadata": usage_metadata(found), **response_head(target)}
    )


def generate_chunks(target: Target, body: Json) -> GenerationChunks:
    """The candidates, one after the other. Closing the generator stops the generation."""
    asked, chosen = parse_conversation(body), parse_options(body)
    if not _slots.acquire(blocking=False):
        raise ApiError("RESOURCE_EXHAUSTED", "Resource exhausted, please try again later.")
    try:
        for index in range(chosen.candidate_count):
            seed = None if chosen.seed is None else chosen.seed + index
            base, adapter = target.resolved.base, target.adapter
            for piece in server().generate(base, adapter, asked, replace(chosen, seed=seed)):
                yield replace(piece, index=index)
    except ValueError as error:
        raise invalid_argument(str(error)) from error
    finally:
        _slots.release()


def response_head(target: Target) -> Json:
    """The fields that every chunk of one answer repeats."""
    return {
        "modelVersion": target.resolved.model_version,
        "createTime": message_reader.format_timestamp(time.time()),
        "responseId": uuid.uuid4().hex,
    }


def candidate(found: list[GenerationChunk]) -> Json:
    """The pieces of one answer, or some of them; the last of all has finishReason.

    There is always a part, even an empty one: Google's SDKs raise an error where there is none.
    """
    text, last = "".join(piece.text for piece in found), found[-1]
    answer: Json = {"content": {"role": "model", "parts": [{"text": text}]}}
    if last.index:
        answer["index"] = last.index
    if last.finish_reason:
        answer |= {"finishReason": last.finish_reason, "avgLogprobs": last.avg_logprobs}
    chosen = [one for piece in found for one in piece.chosen]
    return {**answer, "logprobsResult": logprobs_result(chosen)} if chosen else answer


def logprobs_result(chosen: list[ChosenToken]) -> Json:
    result: Json = {"chosenCandidates": [_logprob(one.token) for one in chosen]}
    if chosen[0].likeliest:
        result["topCandidates"] = [{"candidates": list(map(_logprob, one.likeliest))} for one in chosen]
    return result


def _logprob(token: TokenLogprob) -> Json:
    return {"token": token.text, "tokenId": token.token_id, "logProbability": token.value}


def usage_metadata(found: list[GenerationChunk]) -> Json:
    """Of all the candidates that have ended."""
    prompt = found[-1].prompt_tokens
    written = sum(piece.candidates_tokens for piece in found if piece.finish_reason)
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": written,
        "totalTokenCount": prompt + written,
    }
    return {
        **{name: count for name, count in counts.items() if count},
        **TRAFFIC,
        "promptTokensDetails": text_tokens(prompt),
        "candidatesTokensDetails": text_tokens(written),
    }


def text_tokens(count: int) -> list[Json]:
    return [{"modality": "TEXT", "tokenCount": count}] if count else []


def stream_generate_content(request: HttpRequest, target: Target) -> StreamingHttpResponse:
    """Wait for the first chunk, so that a request that cannot be answered gets an error status."""
    body = message_reader.read_message(request, "GenerateContentRequest")
    found = generate_chunks(target, body)
    begun = chain([next(found)], found)
    parts = iter_responses(response_head(target), begun, parse_options(body).candidate_count)
    if request.GET.get("alt") == "sse":
        return StreamingHttpResponse(StreamBody(format_sse(parts), found), content_type="text/event-stream")
    return StreamingHttpResponse(StreamBody(format_json_array(parts), found), content_type=JSON)


class StreamBody:
    """A response body that stops the generation when the client disconnects."""

    def __init__(self, blocks: Iterator[str], source: GenerationChunks) -> None:
        self.blocks = blocks
        self.close: Callable[[], None] = source.close

    def __iter__(self) -> Iterator[str]:
        return self.blocks


def iter_responses(head: Json, found: Iterator[GenerationChunk], count: int) -> Iterator[Json]:
    """A part for each piece; the last of the last candidate has all counts.

    After the first byte the status is sent, so an error becomes the last element.
    """
    ended: list[GenerationChunk] = []
    try:
        for piece in found:
            ended += [piece] if piece.finish_reason else []
            counts = usage_metadata(ended) if len(ended) == count else TRAFFIC
            yield {"candidates": [candidate([piece])], "usageMetadata": counts, **head}
    except Exception as error:
        yield rpc_status(as_api_error(error))


def format_sse(parts: Iterator[Json]) -> Iterator[str]:
    for part in parts:
        yield f"data: {json.dumps(part, ensure_ascii=False)}\r\n\r\n"


def format_json_array(parts: Iterator[Json]) -> Iterator[str]:
    separator = "["
    for part in parts:
        yield f"{separator}{json.dumps(part, ensure_ascii=False)}\n"
        separator = ",\r\n"
    yield "]"


def count_tokens(request: HttpRequest, target: Target) -> HttpResponse:
    """Billable characters are those that are not white space."""
    found = parse_messages(message_reader.read_message(request, "CountTokensRequest"))
    try:
        tokens = server().count_tokens(target.resolved.base, found)
    except ValueError as error:
        raise invalid_argument(str(error), "contents") from error
    characters = sum(len("".join(message["content"].split())) for message in found)
    return message_reader.json_response(
        {
            "totalTokens": tokens,
            "totalBillableCharacters": characters,
            "promptTokensDetails": text_tokens(tokens),
        }
    )
