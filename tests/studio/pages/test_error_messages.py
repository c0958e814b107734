"""Each kind of failure has its own message, in each language, for the engine and for Google Cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils.translation import override

from studio.pages.error_messages import MESSAGES_BY_CLASS, MESSAGES_BY_REASON, Banner, explain_error
from studio.vertex import errors
from studio.vertex.errors import VertexError, Violation


def iter_error_classes(kind: type[VertexError] = VertexError) -> Iterator[type[VertexError]]:
    """Yield the classes of errors.py; one of another module, such as OutsidePlaces, is tested beside it."""
    if kind.__module__ == errors.__name__:
        yield kind
    for each in kind.__subclasses__():
        yield from iter_error_classes(each)


@pytest.mark.parametrize("kind", list(iter_error_classes()), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("on_engine", [True, False])
def test_every_error_class_has_a_message(kind: type[VertexError], on_engine: bool) -> None:
    said = explain_error(kind("the server's words", code=418, status="TEAPOT"), on_engine=on_engine)
    assert said.title.endswith(".") and said.meaning.endswith(".")
    assert said.machine == "418 TEAPOT · the server's words"


def test_error_titles_are_unique() -> None:
    assert len({str(words[0]) for words in MESSAGES_BY_CLASS.values()}) == len(MESSAGES_BY_CLASS)


@pytest.mark.parametrize("reason", MESSAGES_BY_REASON)
def test_reason_takes_precedence_over_class(reason: str) -> None:
    error = errors.PermissionDenied("no", code=403, status="PERMISSION_DENIED", reason=reason)
    assert explain_error(error).title == str(MESSAGES_BY_REASON[reason][0])
    assert explain_error(error).title != explain_error(errors.PermissionDenied("no")).title


def test_unreachable_engine_is_named() -> None:
    assert explain_error(errors.NotSent("x"), on_engine=True).title == "The local engine isn’t responding."
    assert explain_error(errors.NotSent("x")).title == "Google Cloud can’t be reached from this server."


def test_field_violation_is_named() -> None:
    refusal = errors.BadRequest(
        "bad", code=400, violations=(Violation("tuning_job.base_model", "is unknown"),)
    )
    assert explain_error(refusal).machine == "400 · tuning_job.base_model: is unknown"


def test_message_keeps_the_language_of_its_request() -> None:
    with override("ja"):
        banner = explain_error(errors.NotSent("x"))
    assert isinstance(banner, Banner) and isinstance(banner.title, str)
    assert str(banner) == f"{banner.title}{banner.meaning}{banner.action}"
    assert str(banner).startswith("このサーバーから Google Cloud に接続できません。何も")
