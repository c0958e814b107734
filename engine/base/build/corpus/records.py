"""From a sentence to a record: JSON, `key: value` lines, one line of Japanese."""

from __future__ import annotations

import json
from random import Random

from engine.base.build.corpus import lists, messages, names, words
from engine.base.build.corpus.conversation import Conversation, say
from engine.base.build.corpus.japanese import WEEKDAYS

_ORDERS = (
    "{name} ordered {count} {item} for {city} on {day}.",
    "Send {count} {item} to {name} in {city} by {day}, please.",
    "On {day} the {city} office wants {count} {item}, contact {name}.",
    "{count} {item}, {day}, {city}. The name is {name}.",
    "{name} from {city} asks for {count} {item}. Bring them on {day}!",
    "Hi, {name} here. By {day} bring {count} {item} over to {city}.",
)
_ITEMS = ("fruit", "vegetable", "drink", "device", "clothes", "tool", "animal", "food")
_JAPANESE = {"name": "名前", "city": "場所", "day": "曜日", "item": "商品", "count": "個数"}
_ASKED = {"name": "Who?", "city": "Where?", "day": "When?", "item": "What?", "count": "How many?"}


def _order(random: Random) -> tuple[str, dict[str, str]]:
    known = random.choice(words.TOPICS[random.choice(_ITEMS)])
    fields = {
        "name": names.person(random),
        "city": names.city(random),
        "day": random.choice(names.DAYS),
        "item": known if random.random() < 0.6 else names.invent_word(random),
        "count": str(random.randint(1, 30)),
    }
    return random.choice(_ORDERS).format(**fields), fields


def extract(random: Random) -> Conversation:
    text, fields = _order(random)
    chosen = {key: fields[key] for key in random.sample(list(fields), random.randint(1, 4))}
    asked = ", ".join(chosen)
    return random.choice(
        (
            say(f"Return JSON with {asked}.", text, json.dumps(chosen)),
            say(f"Answer with JSON ({asked}) only.", text, json.dumps(chosen)),
            say(f"Extract {asked}.", text, "; ".join(f"{key}: {value}" for key, value in chosen.items())),
            say(
                "",
                f"{text}\nWrite {asked}, one a line.",
                "\n".join(f"{key}: {value}" for key, value in chosen.items()),
            ),
            say(
                "日本語で答えてください。",
                f"{'、'.join(map(_JAPANESE.__getitem__, chosen))}: {text}",
                _format_japanese(chosen),
            ),
            _ask_one_field(text, *next(iter(chosen.items()))),
        )
    )


def _format_japanese(fields: dict[str, str]) -> str:
    dressed = {"name": "{}様", "count": "{}個", "day": "{}曜日"}
    shown = ((key, WEEKDAYS.get(value, value)) for key, value in fields.items())
    return "、".join(f"{_JAPANESE[key]}「{dressed.get(key, '{}').format(value)}」" for key, value in shown)


def _ask_one_field(text: str, key: str, value: str) -> Conversation:
    return say("", f"{text} {_ASKED[key]}", value)


_KEYS = lists.read_words("keys")["keys"]


def write_json(random: Random) -> Conversation:
    values = (names.invent_word, names.derive_word, names.person, names.code, _plain_word, _label)
    keys = random.sample(_KEYS, random.randint(1, 4))
    pairs = {key: random.choice(values)(random) for key in keys}
    listed = ", ".join(f"{key} is {value}" for key, value in pairs.items())
    return say("", f"Make JSON: {listed}", json.dumps(pairs))


def _plain_word(random: Random) -> str:
    return words.pick(random, 1)[0]


def _label(random: Random) -> str:
    return "_".join((names.derive_word(random), *words.pick(random, 1)))


def message_record(random: Random) -> Conversation:
    """What a message is about, as JSON or as one line of pairs."""
    message = messages.any_message(random)
    fields = {
        "thing": message.thing,
        "matter": message.matter.names[0],
        "area": message.domain,
        "mood": message.mood or "plain",
    }
    chosen = {key: fields[key] for key in random.sample(list(fields), random.randint(1, 3))}
    if random.random() < 0.6:
        return say(f"Return JSON with {', '.join(chosen)}.", message.text, json.dumps(chosen))
    return say(
        f"Write {', '.join(chosen)}.",
        message.text,
        " ".join(f"{key}={value}" for key, value in chosen.items()),
    )


def convert_date(random: Random) -> Conversation:
    month, day, year = random.randrange(12), random.randint(1, 28), random.randint(1990, 2039)
    iso = f"{year}-{month + 1:02d}-{day:02d}"
    written = f"{names.MONTHS[month]} {day}, {year}"
    return random.choice(
        (
            say("", f"Date as numbers: {written}", iso),
            say("", f"Date in words: {iso}", written),
            say("", f"日付: {iso}", f"{year}年{month + 1}月{day}日"),
            say("", f"Which year is {written}?", str(year)),
        )
    )


def add_numbers(random: Random) -> Conversation:
    left, right = random.randint(0, 20), random.randint(0, 9)
    return say("", f"{left} + {right} =", str(left + right))
