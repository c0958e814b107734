"""Lists and sentences are joined as in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation

from studio.formats import join_list, join_sentences


@pytest.mark.parametrize(("language", "text"), [("en", "a, 2, c"), ("ja", "a、2、c")])
def test_lists_are_joined_with_the_comma_of_the_language(language: str, text: str) -> None:
    with translation.override(language):
        assert join_list(["a", 2, "c"]) == text


@pytest.mark.parametrize(
    ("sentences", "text"),
    [
        (["Saved.", "", "Try again."], "Saved. Try again."),
        (["保存しました。", "もう一度お試しください。"], "保存しました。もう一度お試しください。"),
        ([], ""),
    ],
)
def test_sentences_are_joined_without_a_space_after_a_japanese_full_stop(
    sentences: list[str], text: str
) -> None:
    assert join_sentences(sentences) == text
