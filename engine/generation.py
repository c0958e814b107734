"""generateContent, streamGenerateContent and countTokens, of tuned endpoints and of base models.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from engine import wire
from engine.bases import Resolved, resolve
from engine.errors import JSON, ApiError, as_api_error, invalid, not_found, rpc_status
from engine.generation_request import conversation, messages, options
from engine.options import Piece
from engine.parts import server
from engine.place import Place
from engine.tuned import Tuned

Json = dict[str, Any]
Pieces = Generator[Piece, None, None]

# The models are in use by one request at a time; more than these few in line would only hold threads back
# that others need.
MOST_WAITING = 8
_slots = threading.BoundedSemaphore(MOST_WAITING)


@dataclass(frozen=True, slots=True)
class Target:
    """What answers: a base, or an adapter on it."""

    resolved: Resolved
    adapter: Path | None = None


def on_endpoint(request: HttpRequest, place: Place, endpoint: str, verb: str) -> HttpResponseBase:
    return answer(request, endpoint_target(place, endpoint), verb)


def endpoint_target(place: Place, endpoint: str) -> Target:
    tuned, checkpoint_id = Tuned.of_endpoint(place, endpoint)
    name = place.name("endpoints", endpoint)
    checkpoint = tuned.checkpoint(checkpoint_id)
    if checkpoint is None:
        message = f"The Endpoint {name} is not ready: its checkpoint {checkpoint_id} is still to be trained."
        raise ApiError("FAILED_PRECONDITION", message)
    if checkpoint_id in tuned.changes.undeployed:
        raise ApiError("FAILED_PRECONDITION", f"The Endpoint {name} has no deployed model.")
    resolved = resolve(tuned.job["model"])
    if resolved is None:
        message = f"The base model {tuned.job['model']} of this endpoint is not installed any more."
        raise ApiError("FAILED_PRECONDITION", message)
    return Target(resolved, checkpoint.folder)


def on_model(request: HttpRequest, place: Place, model: str, verb: str) -> HttpResponseBase:
    return answer(request, model_target(place.name("publishers/google/models", model), model), verb)


def on_model_alone(request: HttpRequest, version: str, model: str, verb: str) -> HttpResponseBase:
    """As clients with an API key ask, who name no project."""
    return answer(request, model_target(f"publishers/google/models/{model}", model), verb)


def on_tuned_model(request: HttpRequest, place: Place, model: str, verb: str) -> HttpResponseBase:
    raise malformed(place.name("models", model))


def model_target(name: str, model: str) -> Target:
    if model.partition("@")[0].isdecimal():
        raise malformed(name)
    resolved = resolve(model)
    if resolved is None:
        raise not_found(f"Publisher Model `{name}` was not found.")
    return Target(resolved)


def malformed(name: str) -> ApiError:
    return invalid(
        f"The Model name `{name}` is malformed. Call a tuned model by its endpoint, "
        "projects/PROJECT/locations/LOCATION/endpoints/ENDPOINT."
    )


def answer(request: HttpRequest, target: Target, verb: str) -> HttpResponseBase:
    match verb:
        case "generateContent":
            return generate(request, target)
        case "streamGenerateContent":
            return stream(request, target)
        case "countTokens":
            return count_tokens(request, target)
    raise not_found(f"There is no method {verb}.")


def generate(request: HttpRequest, target: Target) -> HttpResponse:
    body = wire.read(request, "GenerateContentRequest")
    found = list(pieces(target, body))
    text = "".join(piece.text for piece in found)
    return wire.reply(response_part(response_head(target), text, found[-1]))


def pieces(target: Target, body: Json) -> Pieces:
    """Closing the generator stops the generation."""
    asked, chosen = conversation(body), options(body)
    if not _slots.acquire(blocking=False):
        raise ApiError("RESOURCE_EXHAUSTED", "Resource exhausted, please try again later.")
    try:
        yield from server().generate(target.resolved.base, target.adapter, asked, chosen)
    except ValueError as error:
        raise invalid(str(error)) from error
    finally:
        _slots.release()


def response_head(target: Target) -> Json:
    """What every part of one answer repeats."""
    return {
        "modelVersion": target.resolved.model_version,
        "createTime": wire.timestamp(time.time()),
        "responseId": uuid.uuid4().hex,
    }


def response_part(head: Json, text: str, piece: Piece) -> Json:
    """A GenerateContentResponse with `text`; the last of an answer has finishReason and all counts.

    There is always a part, even an empty one: Google's SDKs raise an error where there is none.
    """
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}}
    if piece.finish_reason is None:
        return {"candidates": [candidate], "usageMetadata": {"trafficType": "ON_DEMAND"}, **head}
    candidate["finishReason"] = piece.finish_reason
    candidate["avgLogprobs"] = piece.avg_logprobs
    return {"candidates": [candidate], "usageMetadata": usage(piece), **head}


def usage(piece: Piece) -> Json:
    counts = {
        "promptTokenCount": piece.prompt_tokens,
        "candidatesTokenCount": piece.candidates_tokens,
        "totalTokenCount": piece.prompt_tokens + piece.candidates_tokens,
    }
    return {
        **{name: count for name, count in counts.items() if count},
        "trafficType": "ON_DEMAND",
        "promptTokensDetails": text_tokens(piece.prompt_tokens),
        "candidatesTokensDetails": text_tokens(piece.candidates_tokens),
    }


def text_tokens(count: int) -> list[Json]:
    return [{"modality": "TEXT", "tokenCount": count}] if count else []


def stream(request: HttpRequest, target: Target) -> StreamingHttpResponse:
    """The first piece is awaited, so that what cannot be answered at all is refused with its status."""
    found = pieces(target, wire.read(request, "GenerateContentRequest"))
    begun = chain([next(found)], found)
    parts = response_parts(response_head(target), begun)
    if request.GET.get("alt") == "sse":
        return StreamingHttpResponse(Body(events(parts), found), content_type="text/event-stream")
    return StreamingHttpResponse(Body(json_array(parts), found), content_type=JSON)


class Body:
    """A response's body that, when the client goes, ends the generation behind it."""

    def __init__(self, blocks: Iterator[str], source: Pieces) -> None:
        self.blocks = blocks
        self.close: Callable[[], None] = source.close

    def __iter__(self) -> Iterator[str]:
        return self.blocks


def response_parts(head: Json, found: Iterator[Piece]) -> Iterator[Json]:
    """After the first byte an error cannot be a status any more: it comes as the last element."""
    try:
        for piece in found:
            yield response_part(head, piece.text, piece)
    except Exception as error:
        yield rpc_status(as_api_error(error))


def events(parts: Iterator[Json]) -> Iterator[str]:
    for part in parts:
        yield f"data: {json.dumps(part, ensure_ascii=False)}\r\n\r\n"


def json_array(parts: Iterator[Json]) -> Iterator[str]:
    separator = "["
    for part in parts:
        yield f"{separator}{json.dumps(part, ensure_ascii=False)}\n"
        separator = ",\r\n"
    yield "]"


def count_tokens(request: HttpRequest, target: Target) -> HttpResponse:
    """Billable are the characters that are not white space."""
    found = messages(wire.read(request, "CountTokensRequest"))
    tokens = server().count_tokens(target.resolved.base, found)
    characters = sum(len("".join(message["content"].split())) for message in found)
    return wire.reply(
        {
            "totalTokens": tokens,
            "totalBillableCharacters": characters,
            "promptTokensDetails": text_tokens(tokens),
        }
    )
