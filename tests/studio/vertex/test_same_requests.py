"""The same meant, the same sent: our requests beside those of every client of Google's that means the same.

Equal are method, path after the version, query, and the body in its one form, which the engine's reader gives
(spelling of names, enums by name or number, integers as strings). Apart stay: how a client wants its answer
printed, and what only that client says, which each case lists.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from engine.protojson import lenient_json
from engine.protojson.message_reader import normalize_message
from jobs.chat.request import build_generate_request
from jobs.request.body import SUBMISSION_LABEL, build_tuning_request
from studio.vertex.client import Vertex
from tests.studio.vertex.double import FakeVertexServer, json_answer, load_exchanges
from tests.studio.vertex.test_requests import EXPERIMENT, RUN, make_series, strip_version

Json = dict[str, Any]

HOW_TO_PRINT = {"$alt", "prettyPrint", "projection", "pageSize"}
JOBS = "projects/123456789012/locations/us-central1/tuningJobs"
ENDPOINTS = "projects/123456789012/locations/us-central1/endpoints"
SAMPLES = "gs://cloud-samples-data/ai-platform/generative_ai"


@dataclass(frozen=True)
class Case:
    """A capture, the index of its request, our call, and the fields that only the capture has."""

    capture: str
    act: Callable[[Vertex], Any]
    message: str = "Empty"
    only_theirs: tuple[str, ...] = ()
    request: int = 0


def build_job_body(base_model: str, training: str, **chosen: Any) -> Json:
    """The body built from the wizard's answers."""
    validation = chosen.pop("validation", None)
    defaults = {
        "tuned_model_display_name": "",
        "epoch_count": None,
        "adapter_size": None,
        "learning_rate_multiplier": None,
        "export_last_checkpoint_only": False,
        "description": "",
        "pre_tuned_model": "",
        "pre_tuned_checkpoint": "",
        "labels": {},
        "service_account": "",
        "kms_key_name": "",
    }
    job = SimpleNamespace(
        **{**defaults, **chosen},
        base_model=base_model,
        training=SimpleNamespace(uri=training),
        validation=SimpleNamespace(uri=validation),
        validation_enabled=validation is not None,
        submission_id="1",
    )
    body = build_tuning_request(job)
    assert body.pop("labels") == {SUBMISSION_LABEL: "1"}
    return body


def create_case(capture: str, *only_theirs: str, **chosen: Any) -> Case:
    body = build_job_body(**chosen)
    return Case(
        capture, lambda vertex: vertex.create_tuning_job("us-central1", body), "TuningJob", only_theirs
    )


OF_THE_PAGE = {
    "base_model": "gemini-1.5-pro-002",
    "training": f"{SAMPLES}/gemini-1_5/text/sft_train_data.jsonl",
    "validation": f"{SAMPLES}/gemini-1_5/text/sft_validation_data.jsonl",
    "epoch_count": 4,
    "adapter_size": 4,
    "learning_rate_multiplier": 1.0,
    "tuned_model_display_name": "tuned_gemini_1_5_pro",
}
BY_CURL = {
    "training": "gs://b/train.jsonl",
    "validation": "gs://b/val.jsonl",
    "tuned_model_display_name": "tuned_gemini_pro",
}
IN_SNAKE_CASE = {
    "base_model": "gemini-1.5-pro-002",
    "training": f"{SAMPLES}/sft_train_data.jsonl",
    "validation": f"{SAMPLES}/sft_validation_data.jsonl",
    "tuned_model_display_name": "tuned_gemini_pro",
}
BY_GENAI = {
    "base_model": "gemini-2.5-flash",
    "training": "gs://b/train.jsonl",
    "validation": "gs://b/val.jsonl",
    "epoch_count": 3,
    "adapter_size": 4,
    "learning_rate_multiplier": 1.0,
    "tuned_model_display_name": "tuned",
}
CREATES = [
    create_case("sdk-1.95.1.sft.train", **OF_THE_PAGE),
    create_case("sdk-2.7.0.sft.train", **OF_THE_PAGE),
    create_case("page-curl.tuningJobs.create-camel", **{**OF_THE_PAGE, **BY_CURL}),
    create_case("page-curl.tuningJobs.create-snake", **IN_SNAKE_CASE),
    create_case("genai-2.34.0.tunings.tune", "description", "labels", **BY_GENAI),
    create_case(
        "genai-2.34.0.tunings.tune-minimal", base_model="gemini-2.5-flash", training="gs://b/train.jsonl"
    ),
    create_case(
        "sdk-2.7.0-more.discovery-client.tuningJobs.create",
        base_model="gemini-2.5-flash",
        training="gs://b/t.jsonl",
    ),
]


@dataclass
class Turn:
    prompt: str
    reply: str = ""
    finish_reason: str = "STOP"


@dataclass
class Settings:
    system_instruction: str = ""
    generation_config: Json = field(default_factory=dict)


def build_question(*turns: Turn, system: str = "", **generation_config: Any) -> Json:
    return build_generate_request(turns, Settings(system, generation_config))


def generate_case(capture: str, resource: str, body: Json, *only_theirs: str) -> Case:
    act: Callable[[Vertex], Any] = lambda vertex: vertex.generate_content(resource, body)  # noqa: E731
    return Case(capture, act, "GenerateContentRequest", only_theirs)


def publisher(model: str) -> str:
    return f"projects/myproject/locations/us-central1/publishers/google/models/{model}"


WORDS = {
    "temperature": 0.2,
    "topP": 0.9,
    "topK": 20,
    "maxOutputTokens": 64,
    "stopSequences": ["END"],
    "seed": 7,
}
PROBABILITIES = tuple(
    f"generationConfig.{name}" for name in ("candidateCount", "logprobs", "responseLogprobs")
)
TALK = build_question(Turn("hi", "yo"), Turn("again"), **WORDS)
SAY_HI, WHY = build_question(Turn("hi")), build_question(Turn("Why is sky blue?"))
BRIEF = build_question(Turn("hi"), system="be brief")
GENERATES = [
    generate_case(
        "sdk-1.95.1.model.generate_content-config",
        f"{ENDPOINTS}/888003",
        TALK,
        "safetySettings",
        *PROBABILITIES,
    ),
    generate_case(
        "sdk-2.7.0.model.generate_content-config",
        f"{ENDPOINTS}/888006",
        TALK,
        "safetySettings",
        *PROBABILITIES,
    ),
    generate_case("sdk-2.7.0.model.generate_content", f"{ENDPOINTS}/888006", WHY),
    generate_case("sdk-2.7.0.chat.send_message", f"{ENDPOINTS}/888006", build_question(Turn("hello"))),
    generate_case("sdk-1.95.1.base-model.generate_content", publisher("gemini-1.5-pro-002"), BRIEF),
    generate_case("sdk-2.7.0.base-model.generate_content", publisher("gemini-1.5-pro-002"), BRIEF),
    generate_case("genai-2.34.0.endpoint.generate_content", f"{ENDPOINTS}/888008", WHY),
    generate_case(
        "genai-2.34.0.endpoint.generate_content-config",
        f"{ENDPOINTS}/888008",
        build_question(Turn("Why is sky blue?"), system="be brief", **WORDS),
        *("safetySettings", "labels", "generationConfig.thinkingConfig", *PROBABILITIES),
    ),
    generate_case(
        "genai-2.34.0.chat.send_message-2",
        f"{ENDPOINTS}/888008",
        build_question(Turn("hello", "Rayleigh scattering."), Turn("again")),
    ),
    generate_case("genai-2.34.0.base.generate_content", publisher("gemini-2.5-flash"), SAY_HI),
    generate_case(
        "page-curl.endpoints.generateContent",
        "projects/myproject/locations/us-central1/endpoints/888002",
        build_question(Turn("Why is sky blue?"), temperature=0.5, topP=0.95, topK=40, maxOutputTokens=128),
    ),
]


def stream_case(capture: str, endpoint: str, body: Json) -> Case:
    def open_stream(vertex: Vertex) -> None:
        with closing(vertex.stream_generate_content(f"{ENDPOINTS}/{endpoint}", body)) as stream:
            next(stream, None)

    return Case(capture, open_stream, "GenerateContentRequest")


def count_case(capture: str, endpoint: str, *only_theirs: str) -> Case:
    return Case(
        capture,
        lambda vertex: vertex.count_tokens(f"{ENDPOINTS}/{endpoint}", SAY_HI),
        "CountTokensRequest",
        only_theirs,
    )


TALKS = [
    stream_case("genai-2.34.0.endpoint.generate_content_stream", "888008", build_question(Turn("Why?"))),
    stream_case("rest.streamGenerateContent.sse", "888003", SAY_HI),
    count_case("genai-2.34.0.endpoint.count_tokens", "888008"),
    count_case("sdk-1.95.1.model.count_tokens", "888003", "model"),
    count_case("sdk-2.7.0.model.count_tokens", "888006", "model"),
]


def get_case(capture: str, name: str) -> Case:
    return Case(capture, lambda vertex: vertex.get_tuning_job(name))


def cancel_case(capture: str, name: str) -> Case:
    return Case(capture, lambda vertex: vertex.cancel_tuning_job(name))


def list_case(capture: str, filter: str | None = None) -> Case:
    return Case(capture, lambda vertex: list(vertex.list_tuning_jobs("us-central1", filter)))


OURS = JOBS.replace("123456789012", "myproject")
ASKS = [
    get_case("page-curl.tuningJobs.get", f"{OURS}/1002"),
    get_case("sdk-1.95.1.sft.get-shortid", f"{OURS}/1003"),
    get_case("sdk-2.7.0.sft.get-shortid", f"{OURS}/1006"),
    get_case("sdk-2.7.0.sft.get", f"{JOBS}/1006"),
    get_case("genai-2.34.0.tunings.get", f"{JOBS}/1008"),
    cancel_case("page-curl.tuningJobs.cancel", f"{OURS}/1002"),
    cancel_case("sdk-1.95.1.sft.cancel", f"{JOBS}/1004"),
    cancel_case("sdk-2.7.0.sft.cancel", f"{JOBS}/1007"),
    cancel_case("genai-2.34.0.tunings.cancel", f"{JOBS}/1011"),
    list_case("page-curl.tuningJobs.list"),
    list_case("sdk-2.7.0.sft.list"),
    list_case("genai-2.34.0.apiv1.tunings.list"),
    list_case("genai-2.34.0.tunings.list-filter", "labels.a=b"),
]
METRICS = [
    Case("sdk-2.7.0.job.experiment", lambda vertex: vertex.get(EXPERIMENT)),
    Case("sdk-2.7.0.notebook-metrics.5-read", lambda vertex: vertex.list_time_series(RUN)),
    Case(
        "rest.tensorboards.batchRead",
        lambda vertex: vertex.read_time_series([make_series(101), make_series(201)]),
    ),
    Case("sdk-2.7.0.model.get", lambda vertex: vertex.get(model_name())),
    Case("genai-2.34.0.models.get-tuned", lambda vertex: vertex.get(model_name("777008@1"))),
    Case(
        "genai-2.34.0.models.update-default-checkpoint",
        lambda vertex: vertex.set_default_checkpoint(model_name("777008@1"), "1"),
        "Model",
    ),
    Case("sdk-2.7.0.endpoint.get", lambda vertex: vertex.get(f"{ENDPOINTS}/888006")),
]


def model_name(model: str = "777006@1") -> str:
    return f"projects/123456789012/locations/us-central1/models/{model}"


@pytest.mark.parametrize(
    "case", [*CREATES, *GENERATES, *TALKS, *ASKS, *METRICS], ids=lambda case: case.capture
)
def test_requests_match_the_client_library(vertex: Vertex, double: FakeVertexServer, case: Case) -> None:
    wanted = load_exchanges(case.capture)[case.request]["request"]
    double.otherwise = lambda asked: json_answer({"name": f"{JOBS}/1"})
    with pytest.MonkeyPatch.context() as patch:
        # The answer is not a stream; only the request is compared.
        patch.setattr("studio.vertex.client.iter_responses", lambda response: iter(()))
        case.act(vertex)
    [asked] = double.asked
    assert (asked.method, unquote(strip_version(asked.path))) == (
        wanted["method"],
        unquote(strip_version(wanted["path"])),
    )
    assert comparable_query(asked.query) == comparable_query(wanted["query"])
    theirs = normalize_body(case.message, wanted["body"])
    for path in case.only_theirs:
        remove_field(theirs, path.split("."))
    assert normalize_body(case.message, asked.body) == theirs


def comparable_query(query: list[Any]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in query if name not in HOW_TO_PRINT and value != "json")


def normalize_body(message: str, body: Any) -> Json:
    """Return the normalized body without default values."""
    raw = body["_raw"] if isinstance(body, dict) and "_raw" in body else None
    read = normalize_message(message, lenient_json.parse_json(raw) if raw else body or {})
    # Vertex AI ignores the role of an instruction, and reads the reference page's USER as user.
    read.get("systemInstruction", {}).pop("role", None)
    for content in read.get("contents", []):
        content["role"] = content["role"].lower()
    return drop_empty(read)


def drop_empty(value: Any) -> Any:
    if isinstance(value, list):
        return [drop_empty(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    inner = {key: drop_empty(child) for key, child in value.items()}
    return {key: child for key, child in inner.items() if child not in ({}, [], None) and child is not False}


def remove_field(body: Json, path: list[str]) -> None:
    """Remove the field; it must exist, so that the case lists no field needlessly."""
    if len(path) > 1:
        remove_field(body[path[0]], path[1:])
    else:
        del body[path[0]]
