"""Taking words over, whole or in parts: repeating, spelling, joining, changing the case, making lists."""

from __future__ import annotations

from random import Random

from engine.base.build.corpus import names, words
from engine.base.build.corpus.conversation import Conversation, say
from engine.base.build.corpus.japanese import japanese_word, other_script


def _make_unknown_word(random: Random) -> str:
    """A word to copy letter by letter."""
    if random.random() < 0.6:
        return random.choice((names.invent_word, names.derive_word))(random)
    return random.choice((names.person, names.code, names.code, japanese_word, other_script))(random)


def _word(random: Random) -> str:
    return words.pick(random, 1)[0] if random.random() < 0.5 else _make_unknown_word(random)


def _mix_words(random: Random, least: int, most: int) -> list[str]:
    """Real words of different topics, mixed with others."""
    real = words.pick(random, random.randint(least, most))
    return [word if random.random() < 0.6 else _make_unknown_word(random) for word in real]


def _identifier(random: Random) -> list[str]:
    """Two to five words as in a label: real and invented ones, now and then with a linking word between."""
    parts = words.pick(random, random.choice((2, 2, 3, 3, 4)))
    parts = [part if random.random() < 0.7 else names.derive_word(random) for part in parts]
    if random.random() < 0.3:
        parts[1:2] = [names.derive_word(random), random.choice(words.LINKING), names.derive_word(random)]
    return parts


def repeat(random: Random) -> Conversation:
    text = " ".join(_mix_words(random, 1, 4)) if random.random() < 0.5 else "_".join(_identifier(random))
    return say("", random.choice(("Repeat: ", "Say again: ", "Echo: ", "Copy: ")) + text, text)


def join(random: Random) -> Conversation:
    parts = _identifier(random)
    label = "_".join(parts)
    return random.choice(
        (
            say("", f"Join with underscores: {' '.join(parts)}", label),
            say("snake_case", " ".join(part.capitalize() for part in parts), label),
            say("", f"Make a label: {', '.join(parts)}", label),
            say("", f"Words in {label}", " ".join(parts)),
            say("", f"Last word in {label}", parts[-1]),
            say("", f"Title: {label}", " ".join(parts).capitalize()),
            say("", f"camelCase: {label}", parts[0] + "".join(part.capitalize() for part in parts[1:])),
            say("", f"kebab-case: {label}", "-".join(parts)),
        )
    )


def finish(random: Random) -> Conversation:
    """One of several identifiers, or words, is begun; write it to its end."""
    known = ["_".join(_identifier(random)) for _ in range(random.randint(2, 4))]
    wanted = random.choice(known)
    begun = wanted[: random.randint(2, max(2, len(wanted) - 2))]
    return say("Known: " + ", ".join(known) + ".", f"Which one starts with {begun}?", wanted)


def pick_from_list(random: Random) -> Conversation:
    keys, values = _mix_words(random, 2, 3), []
    for _ in keys:
        values.append("_".join(_identifier(random)))
    table = "; ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=True))
    at = random.randrange(len(keys))
    if random.random() < 0.5:
        return say(f"Table: {table}.", f"Value beside {keys[at]}?", values[at])
    return say(f"Table: {table}.", f"Key beside {values[at]}?", keys[at])


def spell(random: Random) -> Conversation:
    word = _word(random)
    letters = "-".join(word)
    return random.choice((say("", f"Spell {word}", letters), say("", f"Which word is {letters}", word)))


def change_case(random: Random) -> Conversation:
    text = " ".join(_mix_words(random, 1, 3))
    ask, answer = random.choice(
        (
            ("Upper case: ", text.upper()),
            ("Lower case: ", text.lower()),
            ("Quote: ", f"「{text}」"),
            ("In quotes: ", f'"{text}"'),
        )
    )
    return say("", ask + text, answer)


def bullet_list(random: Random) -> Conversation:
    items = _mix_words(random, 2, 4)
    return random.choice(
        (
            say("", "Make a list: " + ", ".join(items), "\n".join(f"- {item}" for item in items)),
            say(
                "",
                "Number these: " + ", ".join(items),
                "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1)),
            ),
            say("", "First one: " + ", ".join(items), items[0]),
            say("", "Last one: " + ", ".join(items), items[-1]),
            say("", "How many: " + ", ".join(items), str(len(items))),
        )
    )


def relate_words(random: Random) -> Conversation:
    """Opposites, other words for the same, and nouns beside their verbs."""
    ask, pairs = random.choice(
        (
            ("Opposite", words.OPPOSITES),
            ("Other word", words.SYNONYMS),
            ("Noun", words.DERIVED),
            ("Noun", words.DERIVED),
        )
    )
    left, right = random.choice(pairs)
    return say("", f"{ask} of {left}?", right)


def name_topic(random: Random) -> Conversation:
    group = random.choice(list(words.TOPICS))
    word = random.choice(words.TOPICS[group])
    other = random.choice([name for name in words.TOPICS if name != group])
    options = " or ".join(random.sample([group, other], 2))
    stranger = random.choice([w for w in words.TOPICS[other] if w not in words.TOPICS[group]])
    pair = random.sample([f"({word})", f"({stranger})"], 2)
    return random.choice(
        (
            say("", f'Topic "{word}": {options}?', group),
            say("", f'Topic "{word}"?', group),
            say("", f"Which belongs to {group}: {pair[0]} {pair[1]}?", word),
        )
    )


def name_common_topic(random: Random) -> Conversation:
    """Words of one topic, perhaps with a stranger among them."""
    group, other = random.sample(list(words.TOPICS), 2)
    members = random.sample(words.TOPICS[group], random.randint(3, 6))
    if random.random() < 0.6:
        return say("", f"Topic: {' and '.join(members)}?", group)
    stranger = random.choice([word for word in words.TOPICS[other] if word not in words.TOPICS[group]])
    listed = " and ".join(random.sample([stranger, *members], len(members) + 1))
    return say("", f"Which does not belong: {listed}?", stranger)
