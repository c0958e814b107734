"""generateContent and its kin over HTTP, on a base and on a tuned endpoint."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.engine.running_engine import PROJECT, Engine

BASE = f"{PROJECT}/publishers/google/models/studio-tiny"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
GREEDY = {**HELLO, "generationConfig": {"temperature": 0, "maxOutputTokens": 12}}


def text_of(response: dict[str, Any]) -> str:
    return "".join(part["text"] for part in response["candidates"][0]["content"].get("parts", []))


def post_refused(engine: Engine, body: dict[str, Any], path: str = BASE) -> dict[str, Any]:
    response = engine.post(f"{path}:generateContent", body)
    error: dict[str, Any] = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, 400), error
    return error


def test_base_model_answers_with_token_counts_and_model_version(engine: Engine) -> None:
    answer = engine.post(f"{BASE}:generateContent", GREEDY).json()
    usage = answer["usageMetadata"]
    assert answer["candidates"][0]["content"]["role"] == "model"
    assert answer["candidates"][0]["finishReason"] in ("STOP", "MAX_TOKENS")
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    assert 0 < usage["candidatesTokenCount"] <= 12
    assert answer["modelVersion"] == "studio-tiny"
    assert answer["createTime"].endswith("Z") and answer["responseId"]


def test_stand_in_is_named_in_model_version(engine: Engine) -> None:
    path = "v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
    assert engine.post(path, GREEDY).json()["modelVersion"] == "studio-tiny (stand-in for gemini-2.5-flash)"


def test_model_answers_without_a_project(engine: Engine) -> None:
    answer = engine.post("v1beta1/publishers/google/models/studio-tiny:generateContent", GREEDY).json()
    assert text_of(answer) == text_of(engine.post(f"{BASE}:generateContent", GREEDY).json())


def test_the_tuned_endpoint_and_each_checkpoint_answer(engine: Engine, tuned: dict[str, Any]) -> None:
    checkpoints = tuned["tunedModel"]["checkpoints"]
    texts = [
        text_of(engine.post(f"v1/{checkpoint['endpoint']}:generateContent", GREEDY).json())
        for checkpoint in checkpoints
    ]
    default = engine.post(f"v1/{tuned['tunedModel']['endpoint']}:generateContent", GREEDY).json()
    assert text_of(default) == texts[-1]
    assert text_of(engine.post(f"{BASE}:generateContent", GREEDY).json()) != texts[-1]


def test_the_same_seed_gives_the_same_answer(engine: Engine) -> None:
    def generate_text(seed: int) -> str:
        config = {"temperature": 1.5, "topP": 0.9, "topK": 20.0, "seed": seed, "maxOutputTokens": 20}
        return text_of(engine.post(f"{BASE}:generateContent", {**HELLO, "generationConfig": config}).json())

    assert generate_text(7) == generate_text(7)
    assert len({generate_text(seed) for seed in range(4)}) > 1


def test_several_candidates_are_returned(engine: Engine) -> None:
    config = {"temperature": 1.5, "seed": 7, "maxOutputTokens": 12}

    def list_candidates(**more: int) -> list[dict[str, Any]]:
        body = {**HELLO, "generationConfig": {**config, **more}}
        answer: dict[str, Any] = engine.post(f"{BASE}:generateContent", body).json()
        counted = answer["usageMetadata"]["candidatesTokenCount"]
        assert 0 < counted <= 12 * len(answer["candidates"])
        return list(answer["candidates"])

    three = list_candidates(candidateCount=3)
    texts = [text_of({"candidates": [one]}) for one in three]
    assert [one.get("index") for one in three] == [None, 1, 2]
    assert all(one["finishReason"] for one in three)
    assert len(set(texts)) == 3
    assert texts[0] == text_of({"candidates": list_candidates()})
    body = {**HELLO, "generationConfig": {**config, "candidateCount": 3}}
    parts = engine.post(f"{BASE}:streamGenerateContent", body).json()
    streamed = {0: "", 1: "", 2: ""}
    for part in parts:
        streamed[part["candidates"][0].get("index", 0)] += text_of(part)
    assert list(streamed.values()) == texts
    assert sum("finishReason" in part["candidates"][0] for part in parts) == 3
    assert [("totalTokenCount" in part["usageMetadata"]) for part in parts].index(True) == len(parts) - 1


def test_response_logprobs_returns_token_probabilities(engine: Engine) -> None:
    config = {**GREEDY["generationConfig"], "responseLogprobs": True, "logprobs": 3}
    whole = engine.post(f"{BASE}:generateContent", {**HELLO, "generationConfig": config}).json()
    (answer,), count = whole["candidates"], whole["usageMetadata"]["candidatesTokenCount"]
    chosen = answer["logprobsResult"]["chosenCandidates"]
    top = [one["candidates"] for one in answer["logprobsResult"]["topCandidates"]]
    assert len(chosen) == len(top) == count
    assert "".join(one["token"] for one in chosen if "\ufffd" not in one["token"]) in text_of(
        {"candidates": [answer]}
    )
    assert sum(one["logProbability"] for one in chosen) / count == pytest.approx(answer["avgLogprobs"])
    for one, likeliest in zip(chosen, top, strict=True):
        assert likeliest[0] == one  # greedy
        values = [other["logProbability"] for other in likeliest]
        assert len(values) == 3 and values == sorted(values, reverse=True)


def test_logprobs_in_a_stream_and_of_chosen_tokens_only(engine: Engine) -> None:
    config = {**GREEDY["generationConfig"], "responseLogprobs": True}
    body = {**HELLO, "generationConfig": config}
    whole = engine.post(f"{BASE}:generateContent", body).json()["candidates"][0]["logprobsResult"]
    assert list(whole) == ["chosenCandidates"]
    parts = engine.post(f"{BASE}:streamGenerateContent", body).json()
    streamed = [
        one
        for part in parts
        for one in part["candidates"][0].get("logprobsResult", {}).get("chosenCandidates", [])
    ]
    assert [one["tokenId"] for one in streamed] == [one["tokenId"] for one in whole["chosenCandidates"]]
    plain = engine.post(f"{BASE}:generateContent", GREEDY).json()["candidates"][0]
    assert "logprobsResult" not in plain


def test_penalties_reduce_repetition(engine: Engine) -> None:
    def list_token_ids(**penalties: float) -> list[int]:
        config = {"temperature": 0, "maxOutputTokens": 40, "responseLogprobs": True, **penalties}
        answer = engine.post(f"{BASE}:generateContent", {**HELLO, "generationConfig": config}).json()
        chosen = answer["candidates"][0]["logprobsResult"]["chosenCandidates"]
        return [one["tokenId"] for one in chosen]

    def count_repeated(found: list[int]) -> int:
        return len(found) - len(set(found))

    plain = list_token_ids()
    assert count_repeated(list_token_ids(frequencyPenalty=2, presencePenalty=2)) < count_repeated(plain)
    assert len(set(list_token_ids(presencePenalty=-2))) < len(set(plain))


@pytest.mark.parametrize("config", [{"thinkingBudget": 0}, {"thinkingLevel": "MINIMAL"}, {}])
def test_disabled_thinking_config_is_accepted(engine: Engine, config: dict[str, Any]) -> None:
    body = {**HELLO, "generationConfig": {"maxOutputTokens": 2, "thinkingConfig": config}}
    assert engine.post(f"{BASE}:generateContent", body).status_code == 200


def test_stream_events_add_up_to_the_full_answer(engine: Engine, tuned: dict[str, Any]) -> None:
    endpoint = f"v1beta1/{tuned['tunedModel']['endpoint']}"
    response = engine.post(f"{endpoint}:streamGenerateContent?alt=sse", GREEDY)
    assert response.headers["Content-Type"] == "text/event-stream"
    *events, rest = response.content.decode().split("\r\n\r\n")
    parts = [json.loads(event.removeprefix("data: ")) for event in events]
    assert rest == ""
    assert [("finishReason" in part["candidates"][0]) for part in parts] == [False] * (len(parts) - 1) + [
        True
    ]
    assert parts[-1]["usageMetadata"]["totalTokenCount"] > 0
    assert len({part["responseId"] for part in parts}) == 1
    whole = engine.post(f"{endpoint}:generateContent", GREEDY).json()
    assert "".join(map(text_of, parts)) == text_of(whole)


def test_stream_without_alt_sse_is_a_json_array(engine: Engine) -> None:
    parts = engine.post(f"{BASE}:streamGenerateContent?%24alt=json%3Benum-encoding%3Dint", GREEDY).json()
    whole = engine.post(f"{BASE}:generateContent", GREEDY).json()
    assert "".join(map(text_of, parts)) == text_of(whole)


def test_closing_a_stream_stops_the_generation(engine: Engine) -> None:
    """More listeners than there are places leave: everybody after them still finds one."""
    body = {**HELLO, "generationConfig": {"temperature": 1, "maxOutputTokens": 100}}
    for _ in range(12):
        response = engine.post(f"{BASE}:streamGenerateContent?alt=sse", body, stream=True)
        next(response.iter_content(1))
        response.close()
    deadline = time.monotonic() + 120
    while engine.post(f"{BASE}:generateContent", GREEDY).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_too_many_concurrent_requests_return_429(engine: Engine) -> None:
    body = {**HELLO, "generationConfig": {"maxOutputTokens": 100, "temperature": 2}}
    with ThreadPoolExecutor(14) as pool:
        calls = [
            pool.submit(requests.post, f"{engine.url}/{BASE}:generateContent", json=body) for _ in range(14)
        ]
        codes = {call.result().status_code for call in calls}
    assert codes <= {200, 429}
    assert 200 in codes


@pytest.mark.parametrize("path", [BASE, "v1/publishers/google/models/gemini-1.5-pro-002"])
def test_count_tokens(engine: Engine, path: str) -> None:
    body = {"model": "x", **HELLO, "systemInstruction": {}}
    counted = engine.post(f"{path}:countTokens", body).json()
    assert counted["totalTokens"] > 2
    assert counted["totalBillableCharacters"] == 2
    assert counted["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": counted["totalTokens"]}]


def test_system_instruction_adds_to_the_token_count(engine: Engine) -> None:
    spoken = {**HELLO, "system_instruction": {"role": "user", "parts": {"text": "be brief"}}}
    plain, more = (engine.post(f"{BASE}:countTokens", body).json()["totalTokens"] for body in (HELLO, spoken))
    assert more > plain


def test_uppercase_and_missing_roles_are_accepted(engine: Engine) -> None:
    body = {
        "contents": [{"role": "USER", "parts": {"text": "hi"}}, {"role": "Model", "parts": {"text": "ho"}}]
    }
    last = {"parts": [{"text": "again"}]}
    contents = [*body["contents"], last]
    response = engine.post(f"{BASE}:generateContent", {**GREEDY, "contents": contents})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contents": []}, "at least one contents field is required"),
        (
            {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]},
            "Please use a valid role: user, model.",
        ),
        ({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}, "end with a user role"),
        ({"contents": [{"role": "user"}]}, "must have a text parameter"),
        ({"contents": [{"parts": [{"inlineData": {"data": "aGk="}}]}]}, "inlineData is not supported"),
        ({"generationConfig": {"temperature": 2.5}}, "temperature must be from 0 to 2"),
        ({"generationConfig": {"topP": 1.5}}, "top_p must be from 0 to 1"),
        ({"generationConfig": {"topK": 0}}, "top_k must be from 1"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "max_output_tokens must be at least 1"),
        ({"generationConfig": {"candidateCount": 9}}, "candidate_count must be from 1 to 8"),
        ({"generationConfig": {"presencePenalty": 2.1}}, "presence_penalty must be from -2 to 2"),
        ({"generationConfig": {"frequencyPenalty": "NaN"}}, "frequency_penalty must be from -2 to 2"),
        ({"generationConfig": {"responseLogprobs": True, "logprobs": 21}}, "logprobs must be from 0 to 20"),
        ({"generationConfig": {"logprobs": 3}}, "logprobs can only be set if response_logprobs is true"),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, "this model does not think"),
        ({"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}, "this model does not think"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}, "this model does not think"),
        ({"labels": {"Team": "x"}}, "Invalid label 'Team'"),
        ({"modelArmorConfig": {"promptTemplateName": "t"}}, "modelArmorConfig is not supported"),
        ({"generationConfig": {"stopSequences": list("abcdef")}}, "stop_sequences can have at most 5"),
        ({"generationConfig": {"responseMimeType": "application/json"}}, "response_mime_type must be"),
        ({"generationConfig": {"thinkingConfig": {"thinking_budget": 99}}}, "this model does not think"),
        ({"tools": {"functionDeclarations": []}}, "tools are not supported"),
        ({"contents": [{"parts": [{"text": "long " * 99}]}]}, "tokens"),
    ],
)
def test_unsupported_request_is_refused(engine: Engine, change: dict[str, Any], message: str) -> None:
    assert message in post_refused(engine, {**HELLO, **change})["message"]


def test_too_long_prompt_is_refused_before_streaming(engine: Engine) -> None:
    body = {"contents": [{"parts": [{"text": "long " * 99}]}]}
    assert engine.post(f"{BASE}:streamGenerateContent?alt=sse", body).status_code == 400


def test_generating_by_tuned_model_name_is_malformed(engine: Engine, tuned: dict[str, Any]) -> None:
    model = tuned["tunedModel"]["model"]
    for name in (model, model.partition("@")[0], BASE.replace("studio-tiny", "777001").removeprefix("v1/")):
        assert "is malformed" in post_refused(engine, HELLO, f"v1/{name}")["message"]


def test_missing_model_or_endpoint_returns_404(engine: Engine, tuned: dict[str, Any]) -> None:
    endpoint = tuned["tunedModel"]["endpoint"]
    for path in (
        f"{PROJECT}/endpoints/888001",
        f"v1/{endpoint[:-3]}009",
        f"v1/{endpoint.replace('us-central1', 'us-east1')}",
        f"{PROJECT}/publishers/google/models/gpt-2",
    ):
        response = engine.post(f"{path}:generateContent", HELLO)
        assert (response.status_code, response.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_endpoint_of_a_future_checkpoint_is_not_ready(engine: Engine) -> None:
    job = engine.tune(epochs=5000)
    endpoint = f"{PROJECT}/endpoints/{job['name'].rpartition('/')[2]}010"
    response = engine.post(f"{endpoint}:generateContent", HELLO)
    engine.post(f"v1/{job['name']}:cancel")
    assert response.status_code == 400
    assert "is not ready" in response.json()["error"]["message"]
