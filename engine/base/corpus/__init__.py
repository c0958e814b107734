"""The text that the tiny base is made from: every example is written by these rules, none is collected."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.base.corpus import copying, japanese, labels, records, talk
from engine.base.corpus.conversation import Conversation

__all__ = ["Conversation", "example"]

# share of the corpus, in examples
_TASKS: dict[Callable[[Random], Conversation], float] = {
    labels.choose: 10,
    labels.compose: 12,
    labels.name_parts: 16,
    labels.defined: 4,
    labels.same_matter: 4,
    labels.in_other_words: 4,
    labels.write_to_label: 4,
    labels.meaning: 2,
    copying.repeat: 5,
    copying.join: 6,
    copying.finish: 3,
    copying.pick_from_list: 2,
    copying.spell: 2,
    copying.case: 2,
    copying.bullet_list: 2,
    copying.related: 3,
    copying.topic: 2,
    copying.gathered: 6,
    records.extract: 6,
    records.write_json: 3,
    records.message_record: 4,
    records.dates: 1,
    records.sums: 0.5,
    japanese.echo: 3,
    japanese.translate: 2,
    japanese.judge: 0.7,
    talk.greeting: 0.8,
    talk.fact: 1,
    talk.acquaintance: 1,
    talk.reply: 2,
    talk.sentiment: 2,
    talk.persona: 2.5,
    talk.story: 0.5,
}
_WRITERS, _SHARES = list(_TASKS), list(_TASKS.values())


def example(random: Random) -> Conversation:
    return random.choices(_WRITERS, _SHARES)[0](random)
