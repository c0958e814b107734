"""Examples to copy from: what question and answer share is a word that nobody knows."""

from __future__ import annotations

import re
from random import Random

from engine.base.build.corpus import lists
from engine.base.build.corpus.conversation import Conversation

_LISTS = lists.read_words("names")
_WORDS = [
    word.lower()
    for group in (_LISTS["people"], _LISTS["cities"], *lists.read_words("topics").values())
    for word in group
]
_SMALL = """
    all and any are but can did does for get got had has have her his how into its may not now off one our out
    she some than that the them then they this too two was were what when who why will with you your
"""
_SHARED = re.compile(r"[A-Za-z]{3,}|[ァ-ヴー]{3,}")
_KATAKANA = [chr(sign) for sign in range(ord("ァ"), ord("ヴ") + 1)] + ["ー"] * 8
LEAST, MOST = 3, 12  # letters of a spliced word
SHARE = 0.8  # of the shared words


def splice_words(random: Random) -> str:
    """Parts of two or three real words in one: every part of a word comes to stand beside every other."""
    while True:
        made = "".join(_part(random.choice(_WORDS), random) for _ in range(random.choice((2, 2, 3))))
        if LEAST <= len(made) <= MOST and made not in _WORDS:
            # Turned round, a small word makes no sentence of the words beside it.
            return made[::-1] if made in _SMALL.split() else made


def _part(word: str, random: Random) -> str:
    start = random.randrange(len(word) - 1) if random.random() < 0.6 else 0
    return word[start : start + random.randint(1, 5)]


def disguise_words(conversation: Conversation, random: Random) -> Conversation | None:
    """The same, where names and things are replaced in question and answer alike; None where none is shared.

    Words of the instruction stay: they say what is to be done.
    """
    question, answer = conversation.turns[-1]
    instructed = set(_SHARED.findall(conversation.system.lower()))
    shared = set(_SHARED.findall(question.lower())) & set(_SHARED.findall(answer.lower())) - instructed
    new = {word: _like(word, random) for word in sorted(shared) if random.random() < SHARE}
    if not new:
        return None
    turns = tuple(
        (_replace_words(asked, new), _replace_words(told, new)) for asked, told in conversation.turns
    )
    return Conversation(conversation.system, turns)


def _like(word: str, random: Random) -> str:
    if word.isascii():
        return splice_words(random)
    return "".join(random.choice(_KATAKANA) for _ in range(random.randint(2, 7)))


def _replace_words(text: str, new: dict[str, str]) -> str:
    return _SHARED.sub(lambda found: _match_case(new.get(found[0].lower(), found[0]), found[0]), text)


def _match_case(word: str, model: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
