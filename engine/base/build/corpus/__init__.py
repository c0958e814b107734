"""The text that the tiny base is made from: every example is written by these rules, none is collected."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.base.build.corpus import copying, japanese, labels, records, slots, slots_ja, talk
from engine.base.build.corpus.conversation import Conversation
from engine.base.build.corpus.disguise import disguise_words

__all__ = ["Conversation", "write_copying_example", "write_example"]

# share of the corpus, in examples
_TASKS: dict[Callable[[Random], Conversation], float] = {
    labels.choose: 7,
    labels.compose: 7,
    labels.name_parts: 8,
    labels.choose_defined_label: 3,
    labels.same_matter: 2,
    labels.in_other_words: 2,
    labels.write_to_label: 2,
    labels.explain_names: 1,
    copying.repeat: 8,
    copying.join: 5,
    copying.finish: 3,
    copying.pick_from_list: 2,
    copying.spell: 1.5,
    copying.change_case: 2,
    copying.bullet_list: 2,
    copying.relate_words: 2,
    copying.name_topic: 1.5,
    copying.name_common_topic: 3,
    slots.fill: 10,
    slots.fill_json: 5,
    slots_ja.fill_japanese: 6,
    slots_ja.order_in_japanese: 2,
    slots.answer_about: 4,
    slots.greet: 3,
    records.extract: 3,
    records.write_json: 2,
    records.message_record: 2,
    records.convert_date: 0.7,
    records.add_numbers: 0.3,
    japanese.echo: 4,
    japanese.translate: 1.5,
    japanese.judge: 0.7,
    talk.greeting: 0.5,
    talk.fact: 0.7,
    talk.recall_introduction: 1,
    talk.reply: 1,
    talk.sentiment: 1.5,
    talk.persona: 2,
    talk.story: 0.3,
}
_WRITERS, _SHARES = list(_TASKS), list(_TASKS.values())


def write_example(random: Random) -> Conversation:
    return random.choices(_WRITERS, _SHARES)[0](random)


# What is taken over from the question into the answer; names and things in it are disguised, or made up.
_COPYING_TASKS: dict[Callable[[Random], Conversation], float] = {
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
    talk.recall_introduction: 1,
    copying.repeat: 2,
    copying.join: 1,
    copying.name_common_topic: 1,
}
_TAKERS, _PARTS = list(_COPYING_TASKS), list(_COPYING_TASKS.values())
_MADE_UP = {slots_ja.fill_made_up}
_FIRST_STAGE_SHARE = 0.35


def write_copying_example(random: Random) -> Conversation:
    """The second stage: mostly what only copying gets right, and some of everything."""
    if random.random() < _FIRST_STAGE_SHARE:
        return write_example(random)
    while True:
        taker = random.choices(_TAKERS, _PARTS)[0]
        made = taker(random)
        if found := made if taker in _MADE_UP else disguise_words(made, random):
            return found
