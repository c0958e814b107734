"""The text that the tiny base is made from: every example is written by these rules, none is collected."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.base.build.corpus import copying, japanese, labels, records, slots, slots_ja, talk
from engine.base.build.corpus.conversation import Conversation
from engine.base.build.corpus.disguise import disguised

__all__ = ["Conversation", "copied", "example"]

# share of the corpus, in examples
_TASKS: dict[Callable[[Random], Conversation], float] = {
    labels.choose: 7,
    labels.compose: 7,
    labels.name_parts: 8,
    labels.defined: 3,
    labels.same_matter: 2,
    labels.in_other_words: 2,
    labels.write_to_label: 2,
    labels.meaning: 1,
    copying.repeat: 8,
    copying.join: 5,
    copying.finish: 3,
    copying.pick_from_list: 2,
    copying.spell: 1.5,
    copying.case: 2,
    copying.bullet_list: 2,
    copying.related: 2,
    copying.topic: 1.5,
    copying.gathered: 3,
    slots.fill: 10,
    slots.fill_json: 5,
    slots_ja.fill_japanese: 6,
    slots_ja.order_in_japanese: 2,
    slots.answer_about: 4,
    slots.greet: 3,
    records.extract: 3,
    records.write_json: 2,
    records.message_record: 2,
    records.dates: 0.7,
    records.sums: 0.3,
    japanese.echo: 4,
    japanese.translate: 1.5,
    japanese.judge: 0.7,
    talk.greeting: 0.5,
    talk.fact: 0.7,
    talk.acquaintance: 1,
    talk.reply: 1,
    talk.sentiment: 1.5,
    talk.persona: 2,
    talk.story: 0.3,
}
_WRITERS, _SHARES = list(_TASKS), list(_TASKS.values())


def example(random: Random) -> Conversation:
    return random.choices(_WRITERS, _SHARES)[0](random)


# What is taken over from the question into the answer; names and things in it are disguised, or made up.
_TAKING_OVER: dict[Callable[[Random], Conversation], float] = {
    slots.fill: 6,
    slots.fill_json: 3,
    slots_ja.fill_japanese: 3,
    slots_ja.fill_made_up: 8,
    slots_ja.order_in_japanese: 3,
    slots.answer_about: 2,
    slots.greet: 3,
    records.extract: 2,
    records.message_record: 1,
    talk.persona: 2,
    talk.acquaintance: 1,
    copying.repeat: 2,
    copying.join: 1,
    copying.gathered: 1,
}
_TAKERS, _PARTS = list(_TAKING_OVER), list(_TAKING_OVER.values())
_MADE_UP = {slots_ja.fill_made_up}
_AS_BEFORE = 0.35


def copied(random: Random) -> Conversation:
    """The second stage: mostly what only copying gets right, and some of everything."""
    if random.random() < _AS_BEFORE:
        return example(random)
    while True:
        taker = random.choices(_TAKERS, _PARTS)[0]
        made = taker(random)
        if found := made if taker in _MADE_UP else disguised(made, random):
            return found
