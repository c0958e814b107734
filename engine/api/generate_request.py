"""A GenerateContentRequest as the local model takes it: chat messages and sampling options."""

from collections.abc import Iterator
from typing import Any

from engine.inference.options import Options
from engine.protojson import labels
from engine.protojson.errors import ApiError, invalid
from engine.protojson.message_reader import snake
from engine.training.chat_template import Message

Json = dict[str, Any]

ROLES = {"": "user", "user": "user", "model": "assistant"}
MOST_STOP_SEQUENCES = 5
RANGES = (
    ("temperature", 0, 2),
    ("topP", 0, 1),
    ("topK", 1, 1_000_000),
    ("candidateCount", 1, 8),
    ("presencePenalty", -2, 2),
    ("frequencyPenalty", -2, 2),
    ("logprobs", 0, 20),
)
NO_THOUGHTS = ("MINIMAL", "THINKING_LEVEL_UNSPECIFIED", 0)

# What would change the answer, and this service cannot do. Left out: what only adds to the answer
# (safetySettings, labels), which is read and has no effect.
REFUSED = ("cachedContent", "continuationToken", "modelArmorConfig")
REFUSED_CONFIG = (
    "responseSchema",
    "responseJsonSchema",
    "responseFormat",
    "speechConfig",
    "imageConfig",
    "audioTranscriptionConfig",
    "translationConfig",
)


def conversation(body: Json) -> list[Message]:
    """As `messages`, and the model's turn is next."""
    found = messages(body)
    if found[-1]["role"] != "user":
        raise invalid("Please ensure that multiturn requests end with a user role.", "contents")
    return found


def messages(body: Json) -> list[Message]:
    """Every turn; raises INVALID_ARGUMENT for what is not text, and for other roles."""
    if not body.get("contents"):
        raise invalid("at least one contents field is required", "contents")
    system = _text(body.get("systemInstruction", {}), "system_instruction")
    turns = [_turn(content, number) for number, content in enumerate(body["contents"])]
    return [Message(role="system", content=system), *turns] if system else turns


def _turn(content: Json, number: int) -> Message:
    role = ROLES.get(content.get("role", "").lower())
    path = f"contents[{number}]"
    if role is None:
        raise invalid("Please use a valid role: user, model.", f"{path}.role")
    text = _text(content, path)
    if not text:
        raise invalid(
            "Unable to submit request because it must have a text parameter: add text to the parts.",
            f"{path}.parts",
        )
    return Message(role=role, content=text)


def _text(content: Json, path: str) -> str:
    return "".join(
        _part_text(part, f"{path}.parts[{number}]") for number, part in enumerate(content.get("parts", []))
    )


def _part_text(part: Json, path: str) -> str:
    others = [name for name in part if name not in ("text", "thought", "thoughtSignature")]
    if others:
        raise invalid(
            f"Unable to submit request: {others[0]} is not supported by this model; send text.", path
        )
    return "" if part.get("thought") else str(part.get("text", ""))


def options(body: Json) -> Options:
    """Raises INVALID_ARGUMENT for a value out of its range."""
    config = body.get("generationConfig", {})
    for error in _objections(body, config):
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


def _objections(body: Json, config: Json) -> Iterator[ApiError]:
    for name, low, high in RANGES:
        if name in config and not low <= config[name] <= high:
            yield _config_error(name, f"must be from {low} to {high}")
    if config.get("maxOutputTokens", 1) < 1:
        yield _config_error("maxOutputTokens", "must be at least 1")
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield _config_error("logprobs", "can only be set where response_logprobs is true")
    if len(config.get("stopSequences", [])) > MOST_STOP_SEQUENCES:
        yield _config_error("stopSequences", f"can have at most {MOST_STOP_SEQUENCES} entries")
    for violation in labels.violations(body.get("labels", {}), "labels"):
        yield invalid(violation.description, violation.field)
    yield from _unsupported(body, config)


def _unsupported(body: Json, config: Json) -> Iterator[ApiError]:
    if config.get("responseMimeType", "text/plain") != "text/plain":
        yield _config_error("responseMimeType", "can only be text/plain with this model")
    if _asks_for_thoughts(config.get("thinkingConfig", {})):
        text = "is not supported by this model, it does not think: leave it out, or set thinking_budget to 0"
        yield _config_error("thinkingConfig", text)
    if any(kind not in ("TEXT", 1) for kind in config.get("responseModalities", [])):
        yield _config_error("responseModalities", "can only be TEXT with this model")
    for name in REFUSED_CONFIG:
        if config.get(name):
            yield _config_error(name, "is not supported by this model: leave it out")
    if body.get("tools"):
        yield invalid("tools are not supported by this model: leave them out.", "tools")
    for name in REFUSED:
        if body.get(name):
            yield invalid(f"{name} is not supported by this model: leave it out.", name)


def _asks_for_thoughts(config: Json) -> bool:
    """What switches thinking off, or to the least there is, asks for nothing."""
    level = config.get("thinkingLevel", "MINIMAL")
    return bool(config.get("thinkingBudget") or config.get("includeThoughts")) or level not in NO_THOUGHTS


def _config_error(name: str, what: str) -> ApiError:
    return invalid(f"{snake(name)} {what}.", f"generation_config.{snake(name)}")
