"""A GenerateContentRequest as the local model takes it: chat messages and sampling options."""

from collections.abc import Iterator
from typing import Any

from engine.inference.options import Options
from engine.protojson import labels
from engine.protojson.errors import ApiError, invalid_argument
from engine.protojson.message_reader import to_snake_case
from engine.training.chat_template import Message

Json = dict[str, Any]

ROLES = {"": "user", "user": "user", "model": "assistant"}
MOST_STOP_SEQUENCES = 5  # as in Gemini's generationConfig
RANGES = (
    ("temperature", 0, 2),
    ("topP", 0, 1),
    ("topK", 1, 1_000_000),
    ("candidateCount", 1, 8),
    ("presencePenalty", -2, 2),
    ("frequencyPenalty", -2, 2),
    ("logprobs", 0, 20),
)
THINKING_OFF = ("MINIMAL", "THINKING_LEVEL_UNSPECIFIED", 0)

# What would change the answer, and this service cannot do. Left out: what only adds to the answer
# (safetySettings, labels), which is read and has no effect.
UNSUPPORTED_FIELDS = ("cachedContent", "continuationToken", "modelArmorConfig")
UNSUPPORTED_CONFIG_FIELDS = (
    "responseSchema",
    "responseJsonSchema",
    "responseFormat",
    "speechConfig",
    "imageConfig",
    "audioTranscriptionConfig",
    "translationConfig",
)


def parse_conversation(body: Json) -> list[Message]:
    """As `messages`, and the model's turn is next."""
    found = parse_messages(body)
    if found[-1]["role"] != "user":
        raise invalid_argument("Please ensure that multiturn requests end with a user role.", "contents")
    return found


def parse_messages(body: Json) -> list[Message]:
    """Every turn; raises INVALID_ARGUMENT for what is not text, and for other roles."""
    if not body.get("contents"):
        raise invalid_argument("at least one contents field is required", "contents")
    system = _join_text(body.get("systemInstruction", {}), "system_instruction")
    turns = [_parse_turn(content, number) for number, content in enumerate(body["contents"])]
    return [Message(role="system", content=system), *turns] if system else turns


def _parse_turn(content: Json, number: int) -> Message:
    role = ROLES.get(content.get("role", "").lower())
    path = f"contents[{number}]"
    if role is None:
        raise invalid_argument("Please use a valid role: user, model.", f"{path}.role")
    text = _join_text(content, path)
    if not text:
        raise invalid_argument(
            "Unable to submit request because it must have a text parameter. Add text to the parts.",
            f"{path}.parts",
        )
    return Message(role=role, content=text)


def _join_text(content: Json, path: str) -> str:
    return "".join(
        _part_text(part, f"{path}.parts[{number}]") for number, part in enumerate(content.get("parts", []))
    )


def _part_text(part: Json, path: str) -> str:
    others = [name for name in part if name not in ("text", "thought", "thoughtSignature")]
    if others:
        raise invalid_argument(
            f"Unable to submit request: {others[0]} is not supported by this model. Send text instead.", path
        )
    return "" if part.get("thought") else str(part.get("text", ""))


def parse_options(body: Json) -> Options:
    """Raises INVALID_ARGUMENT for a value out of its range."""
    config = body.get("generationConfig", {})
    for error in _check_values(body, config):
        raise error
    given = {
        "temperature": config.get("temperature"),
        "top_p": config.get("topP"),
        "top_k": int(config["topK"]) if "topK" in config else None,
        "max_output_tokens": config.get("maxOutputTokens"),
        "stop_sequences": tuple(filter(None, config.get("stopSequences", []))),
        "presence_penalty": config.get("presencePenalty"),
        "frequency_penalty": config.get("frequencyPenalty"),
        "seed": config.get("seed"),
        "logprobs": config.get("logprobs", 0) if config.get("responseLogprobs") else None,
        "candidate_count": config.get("candidateCount"),
    }
    return Options(**{name: value for name, value in given.items() if value is not None})


def _check_values(body: Json, config: Json) -> Iterator[ApiError]:
    for name, low, high in RANGES:
        if name in config and not low <= config[name] <= high:
            yield _config_error(name, f"must be from {low} to {high}")
    if config.get("maxOutputTokens", 1) < 1:
        yield _config_error("maxOutputTokens", "must be at least 1")
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield _config_error("logprobs", "can only be set if response_logprobs is true")
    if len(config.get("stopSequences", [])) > MOST_STOP_SEQUENCES:
        yield _config_error("stopSequences", f"can have at most {MOST_STOP_SEQUENCES} entries")
    for violation in labels.find_violations(body.get("labels", {}), "labels"):
        yield invalid_argument(violation.description, violation.field)
    yield from _check_unsupported(body, config)


def _check_unsupported(body: Json, config: Json) -> Iterator[ApiError]:
    if config.get("responseMimeType", "text/plain") != "text/plain":
        yield _config_error("responseMimeType", "must be text/plain for this model")
    if _asks_for_thoughts(config.get("thinkingConfig", {})):
        text = "is not supported because this model does not think. Leave it out, or set thinking_budget to 0"
        yield _config_error("thinkingConfig", text)
    if any(kind not in ("TEXT", 1) for kind in config.get("responseModalities", [])):
        yield _config_error("responseModalities", "must be TEXT for this model")
    for name in UNSUPPORTED_CONFIG_FIELDS:
        if config.get(name):
            yield _config_error(name, "is not supported by this model. Leave it out")
    if body.get("tools"):
        yield invalid_argument("tools are not supported by this model. Leave them out.", "tools")
    for name in UNSUPPORTED_FIELDS:
        if body.get(name):
            yield invalid_argument(f"{name} is not supported by this model. Leave it out.", name)


def _asks_for_thoughts(config: Json) -> bool:
    """Whether thinking is asked for; switching it off or to its minimum is not."""
    level = config.get("thinkingLevel", "MINIMAL")
    return bool(config.get("thinkingBudget") or config.get("includeThoughts")) or level not in THINKING_OFF


def _config_error(name: str, what: str) -> ApiError:
    return invalid_argument(f"{to_snake_case(name)} {what}.", f"generation_config.{to_snake_case(name)}")
