"""Plain words by topic, and pairs of words that belong together. No sentence is in here.

An example never takes two words of one topic next to each other (see `pick`), so that lists of random words
stay lists of random words and never spell an expression.
"""

from __future__ import annotations

from random import Random

from engine.base.build.corpus import lists

TOPICS = lists.read_words("topics")
LINKING = lists.read_words("linking")["linking"]
_PAIRS = {kind: lists.split_pairs(words) for kind, words in lists.read_words("pairs").items()}
# noun or adjective beside its verb, the forms that names of topics are made of
DERIVED, OPPOSITES, SYNONYMS = _PAIRS["noun"], _PAIRS["opposite"], _PAIRS["synonym"]


def pick(random: Random, count: int) -> list[str]:
    """`count` words, each of another topic."""
    return [random.choice(TOPICS[topic]) for topic in random.sample(list(TOPICS), count)]
