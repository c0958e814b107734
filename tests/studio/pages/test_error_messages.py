"""Each kind of failure has words of its own, in each language, for the engine and for Google Cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils.translation import override

from studio.pages.error_messages import ANY, REASONS, Banner, explain
from studio.vertex import errors
from studio.vertex.errors import VertexError, Violation


def kinds(kind: type[VertexError] = VertexError) -> Iterator[type[VertexError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("on_engine", [True, False])
def test_every_class_is_explained(kind: type[VertexError], on_engine: bool) -> None:
    said = explain(kind("the server's words", code=418, status="TEAPOT"), on_engine=on_engine)
    assert said.title.endswith(".") and said.meaning.endswith(".")
    assert said.machine == "418 TEAPOT · the server's words"


def test_each_direct_class_has_its_own_title() -> None:
    assert len({str(words[0]) for words in ANY.values()}) == len(ANY)


@pytest.mark.parametrize("reason", REASONS)
def test_googles_reasons_come_before_the_class(reason: str) -> None:
    error = errors.PermissionDenied("no", code=403, status="PERMISSION_DENIED", reason=reason)
    assert explain(error).title == str(REASONS[reason][0])
    assert explain(error).title != explain(errors.PermissionDenied("no")).title


def test_an_engine_that_is_away_is_named() -> None:
    assert explain(errors.NotSent("x"), on_engine=True).title == "The local engine is not answering."
    assert explain(errors.NotSent("x")).title == "Google Cloud can’t be reached from this server."


def test_a_refused_field_is_named() -> None:
    refusal = errors.BadRequest(
        "bad", code=400, violations=(Violation("tuning_job.base_model", "is unknown"),)
    )
    assert explain(refusal).machine == "400 · tuning_job.base_model: is unknown"


def test_words_are_chosen_when_they_are_read() -> None:
    with override("ja"):
        banner = explain(errors.NotSent("x"))
    assert isinstance(banner, Banner) and isinstance(banner.title, str)
    assert str(banner) == f"{banner.title} {banner.meaning} {banner.action}"
