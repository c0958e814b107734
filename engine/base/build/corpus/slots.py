"""Messages with facts in them, and answers of every shape that take the facts over.

It is the skill under extraction, forms and personas. What an answer looks like is said in the system text,
as a pattern with the fields in braces.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from engine.base.build.corpus import lists, messages, names, words
from engine.base.build.corpus.conversation import Conversation, say

Value = Callable[[Random], str]

_PHRASES = lists.read_sentences("phrases")
# whose words no label of a test is made of: they may stand beside any other word
_ITEMS = ("fruit", "vegetable", "device", "clothes", "tool", "animal", "food", "drink", "music", "plant")
_SEPARATORS = (", ", "; ", " / ", " | ", " - ", " · ", "\n", " ", "・", " > ", " + ", "、", ". ")
_BRACKETS = (
    *("{}", "{}", "{}", "[{}]", "({})", "<{}>", "「{}」", '"{}"'),
    *("*{}*", "【{}】", "'{}'", "{}!", "{}?"),
)
_ENDINGS = (" please", " thanks", ", that is all", " and hurry", ", if you can", " as always")
_ASKS = ("Format: {}", "Answer as {}", "Write: {}", "Pattern: {}", "Reply with {}", "{}", "Fill in: {}")
_CHARACTERS = ("a king", "a robot", "a witch", "a sailor", "a cat", "a ghost", "a giant", "a clown")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED = {str(number): word for number, word in enumerate(_NUMBERS, start=2)}
_JSON_ASKS = ("JSON: {}", "Return JSON with {}.", "JSON keys {}", "As JSON: {}.", "Give JSON ({}).")


def _item(random: Random) -> str:
    known = random.choice(words.TOPICS[random.choice(_ITEMS)])
    return known if random.random() < 0.5 else random.choice((names.invent_word, names.derive_word))(random)


def _color(random: Random) -> str:
    return random.choice(words.TOPICS["colour"])


def _count(random: Random) -> str:
    return str(random.randint(1, 99 if random.random() < 0.3 else 12))


def _clock(random: Random) -> str:
    return f"{random.randint(0, 23)}:{random.choice(('00', '05', '10', '15', '20', '30', '40', '45', '50'))}"


def _day(random: Random) -> str:
    return random.choice(names.DAYS)


def _date(random: Random) -> str:
    return f"{random.choice(names.MONTHS)} {random.randint(1, 28)}"


def _price(random: Random) -> str:
    return f"{random.choice('$€£')}{random.randint(1, 400)}"


def _email(random: Random) -> str:
    return f"{names.invent_word(random)}@{names.invent_word(random)}.{random.choice(('com', 'org', 'net'))}"


def _number(random: Random) -> str:
    return f"{random.choice('ABCDEFGHJKLMNPQRSTUVWXYZ')}{random.randint(10, 9999)}"


def _job(random: Random) -> str:
    return random.choice(words.TOPICS["job"])


VALUES: dict[str, Value] = {
    "name": names.person,
    "city": names.city,
    "item": _item,
    "color": _color,
    "count": _count,
    "time": _clock,
    "day": _day,
    "date": _date,
    "price": _price,
    "email": _email,
    "number": _number,
    "job": _job,
}


def _facts(random: Random, least: int = 1, most: int = 4) -> tuple[str, dict[str, str]]:
    """A message, and the facts in it by field."""
    chosen = random.sample(list(VALUES), random.randint(least, most))
    facts = {field: VALUES[field](random) for field in chosen}
    parts = [
        pick_phrase(random, field).format(_spell_count(random, field, value))
        for field, value in facts.items()
    ]
    return join_parts(random, parts), facts


def pick_phrase(random: Random, field: str) -> str:
    return random.choice(_PHRASES[field])


def _spell_count(random: Random, field: str, value: str) -> str:
    """Small numbers are written out now and then; the fact is the number."""
    return _SPELLED[value] if field == "count" and value in _SPELLED and random.random() < 0.3 else value


def join_parts(random: Random, parts: list[str]) -> str:
    glue = random.choice((", ", ", ", ". ", ". ", " and ", " ", "; ", " – "))
    if glue == ". ":
        parts = [part[0].upper() + part[1:] for part in parts]
    text = glue.join(parts)
    if random.random() < 0.3:
        text = f"{random.choice(messages.OPENINGS)} {text}"
    elif random.random() < 0.7:
        text = text[0].upper() + text[1:]
    if random.random() < 0.2:
        text += random.choice(_ENDINGS)
    return text + random.choice((".", ".", "!", ""))


def fill(random: Random) -> Conversation:
    """The pattern is made up on the spot: words that do not exist, signs, and the fields in braces."""
    text, facts = _facts(random)
    pattern = _pattern(random, random.sample(list(facts), random.randint(1, len(facts))))
    return build_fill_example(random, random.choice(_ASKS).format(pattern), text, pattern, facts)


def build_fill_example(
    random: Random, ask: str, text: str, pattern: str, facts: dict[str, str]
) -> Conversation:
    answer = pattern
    for field, value in facts.items():
        answer = answer.replace(f"{{{field}}}", value)
    if random.random() < 0.15:
        return say("", f"{text}\n{ask}", answer)
    return say(ask, text, answer)


def _pattern(random: Random, fields: list[str]) -> str:
    bracket = random.choice(_BRACKETS)
    held = [bracket.format(f"{{{field}}}") for field in fields]
    draw = random.random()
    if draw < 0.25:
        return random.choice(_SEPARATORS).join(held)
    if draw < 0.45:
        mark = random.choice((": ", "=", " = ", " is ", ": ", " -> "))
        return random.choice(_SEPARATORS).join(
            f"{field}{mark}{slot}" for field, slot in zip(fields, held, strict=True)
        )
    parts: list[str] = [_literal(random)] if random.random() < 0.7 else []
    for slot in held:
        parts += [slot, _literal(random)] if random.random() < 0.7 else [slot]
    text = " ".join(parts)
    return text[0].upper() + text[1:] if random.random() < 0.5 else text


def _literal(random: Random) -> str:
    """A few words that mean nothing, or one that does; perhaps with a sign behind."""
    made = [
        random.choice((names.invent_word, names.derive_word))(random)
        for _ in range(random.choice((1, 1, 2, 3)))
    ]
    if random.random() < 0.35:
        made = [random.choice(words.TOPICS[random.choice(("quality", "feeling", "colour", "nature"))])]
    return " ".join(made) + random.choice(("", "", "", "!", ",", ":", "."))


def fill_json(random: Random) -> Conversation:
    text, facts = _facts(random, 2, 5)
    chosen = {field: facts[field] for field in random.sample(list(facts), random.randint(1, len(facts)))}
    renamed = {_key(random, field): value for field, value in chosen.items()}
    listed = ", ".join(renamed)
    ask = random.choice(_JSON_ASKS).format(listed)
    numeric = random.random() < 0.5
    record = {key: int(v) if numeric and v.isdecimal() else v for key, v in renamed.items()}
    indent = 1 if random.random() < 0.08 else None
    return say(ask, text, json.dumps(record, ensure_ascii=False, indent=indent))


def _key(random: Random, field: str) -> str:
    return random.choice((field, field, field, f"{field}_{names.invent_word(random)}", field.upper()))


def answer_about(random: Random) -> Conversation:
    """One fact or two, asked for in a word."""
    text, facts = _facts(random, 2, 5)
    first, *others = random.sample(list(facts.items()), min(len(facts), random.choice((1, 2, 2, 3))))
    asked = [(f"{text}\n{first[0].capitalize()}?", first[1])]
    return Conversation("", (*asked, *((f"{field.capitalize()}?", value) for field, value in others)))


def greet(random: Random) -> Conversation:
    """A character takes a name and a thing up, in words of its own that the system text gives."""
    person, item = names.person(random), _item(random)
    opening, closing = _literal(random).capitalize(), _literal(random)
    message = f"{pick_phrase(random, 'name')}, ".format(person) + pick_phrase(random, "item").format(item)
    pattern = random.choice(
        (
            f"{opening} {{name}}! {closing} {{item}}",
            f"{opening} {{name}}, {closing}",
            f"{{name}}, {opening} the {{item}} {closing}",
            f"{opening} your {{item}}, {{name}}! {closing}",
            f"{opening} {{name}}. Your {{item}} {closing}",
        )
    )
    character = random.choice(_CHARACTERS)
    asks = (
        f"You are {character}. Say: {pattern}",
        f"Talk like this: {pattern}",
        f"As {character}: {pattern}",
    )
    text = message[0].upper() + message[1:] + "."
    return build_fill_example(random, random.choice(asks), text, pattern, {"name": person, "item": item})
