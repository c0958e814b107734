"""No secret reaches a log: a canary of each kind is logged in every way that a message can carry it."""

from __future__ import annotations

import io
import logging
import logging.config

import pytest

from studio.operation.log_filters import build_logging_config, hide_secrets

CANARY = "cAnArY0123456789"
TEXTS_WITH_SECRETS = [
    f"Authorization: Bearer {CANARY}",
    f"token ya29.{CANARY}-x",
    f'{{"type": "service_account", "private_key": "{CANARY}"}}',
    f"{{'private_key': '{CANARY}'}}",
    f"GET https://storage.example/upload?upload_id={CANARY}&x=1",
    f"https://example/?a=1&access_token={CANARY}",
    f"Not Found: /join/MQ/{CANARY}/",
]


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_only_the_secret_is_hidden(text: str) -> None:
    shown = hide_secrets(text)
    assert CANARY not in shown
    assert shown.startswith(text[: text.index(CANARY)].rsplit("ya29.")[0])
    assert "[hidden]" in shown


def test_text_without_secrets_is_unchanged() -> None:
    text = "GET /p/local/jobs/?status=running 200; bearer of news; key of the map"
    assert hide_secrets(text).startswith("GET /p/local/jobs/?status=running 200")


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_messages_arguments_and_tracebacks_are_filtered(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    handler = build_handler(written)
    for record in (
        logging.makeLogRecord({"msg": text}),
        logging.makeLogRecord({"msg": "%s and %s", "args": ("a", text)}),
        make_error_record(text),
    ):
        handler.handle(record)
    assert written.getvalue().count("[hidden]") >= 3
    assert CANARY not in written.getvalue()


def build_handler(stream: io.StringIO) -> logging.Handler:
    """The handler that each process of the studio uses, on a stream of the test."""
    configuration = build_logging_config("INFO")["handlers"]["console"]
    assert configuration["filters"] == ["secrets"]
    handler = logging.StreamHandler(stream)
    handler.addFilter(
        logging.config.DictConfigurator({"version": 1}).resolve(
            "studio.operation.log_filters.SecretsFilter"
        )()
    )
    return handler


def make_error_record(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError as error:
        return logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, error.__traceback__)})


def test_every_logger_uses_the_filtered_handler() -> None:
    configuration = build_logging_config("INFO")
    assert configuration["root"]["handlers"] == ["console"]
    assert all(logger["propagate"] and not logger["handlers"] for logger in configuration["loggers"].values())
