"""From a message to a label, whose words stand among choices, in a definition, or only in the meaning."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.base.build.corpus import messages, names
from engine.base.build.corpus.conversation import Conversation, say
from engine.base.build.corpus.matters import DOMAINS, MATTERS, Matter
from engine.base.build.corpus.messages import Message

_CASES: dict[str, Callable[[list[str]], str]] = {
    "snake_case": "_".join,
    "kebab-case": "-".join,
    "UPPER_CASE": lambda words: "_".join(words).upper(),
    "camelCase": lambda words: words[0] + "".join(word.capitalize() for word in words[1:]),
    "plain words": " ".join,
}
# how a label names its thing and its matter; {n} thing, {m} matter
_SHAPES = (
    *(
        "{n}_{m}",
        "{m}_{n}",
        "{m}_of_{n}",
        "{n}_is_{m}",
        "get_{n}_{m}",
        "why_{n}_{m}",
        "{n}_has_{m}",
        "our_{n}_{m}",
    ),
    *(
        "{d}_{n}_{m}",
        "{m}_{d}_{n}",
        "{n}_{m}_question",
        "{m}_with_{n}",
        "help_{n}_{m}",
        "ask_{m}_{n}",
        "{n}_and_{m}",
    ),
)
_KINDS_OF_LABEL = ("intent", "topic", "subject", "request", "case", "category", "theme")


def _label(random: Random, message: Message, matter: Matter, thing: str) -> str:
    return random.choice(_SHAPES).format(n=thing, m=random.choice(matter.names), d=message.domain)


def choose(random: Random) -> Conversation:
    """The labels are listed; one fits, the others differ in the thing, in the matter, or in both."""
    message = messages.any_message(random)
    shape = random.choice(_SHAPES)
    pairs = [(message.thing, message.matter)]
    for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
        other = messages.other_matter(random, message.thing, message.matter)
        thing = message.thing if random.random() < 0.7 else random.choice(_things(message.domain))
        pairs.append((thing, other))
    labels = [shape.format(n=thing, m=random.choice(m.names), d=message.domain) for thing, m in pairs]
    order = random.sample(labels, len(labels))
    head = random.choice(("Choose one label", "Labels", "Pick the label that fits", "Possible labels"))
    if random.random() < 0.5:
        return say(f"{head}: {', '.join(order)}.", message.text, labels[0])
    return say("", f"{message.text}\n{head}:\n" + "\n".join(f"- {label}" for label in order), labels[0])


def compose(random: Random) -> Conversation:
    """No label is listed: thing and matter are named in the order and the spelling asked for."""
    message = messages.any_message(random)
    case = random.choice([*_CASES, *["snake_case"] * 6])
    words, asked = random.choice(
        (
            ([message.thing, message.matter.names[0]], "thing, then matter"),
            ([message.matter.names[0], message.thing], "matter, then thing"),
            ([message.domain, message.thing, message.matter.names[0]], "area, thing, matter"),
            ([message.matter.names[0], "of", message.thing], "matter of thing"),
            (["why", message.thing, message.matter.names[0]], "why, thing, matter"),
        )
    )
    kind = random.choice(_KINDS_OF_LABEL)
    system = random.choice(
        ("{kind} as {case}: {asked}", "Write the {kind} ({asked}), {case}.", "{case} {kind}: {asked}")
    )
    system = system.format(kind=kind, case=case, asked=asked)
    return say(system, message.text, _CASES[case]("_".join(words).split("_")))


def name_parts(random: Random) -> Conversation:
    """Several short questions on one message."""
    message = messages.any_message(random)
    thing, matter = message.thing, message.matter.names[0]
    questions = [
        ("Thing?", thing),
        ("Matter?", matter),
        ("Area?", message.domain),
        ("Another name of the matter?", random.choice(message.matter.names)),
        ("Mood?", message.mood or "plain"),
        ("Label?", f"{thing}_{matter}"),
        ("Label, matter first?", f"{matter}_{thing}"),
        ("Label with area?", f"{message.domain}_{thing}_{matter}"),
        ("In other words?", random.choice(message.matter.sentences).format(x=f"the {thing}", n=thing)),
    ]
    first, *rest = random.sample(questions, random.randint(2, 4))
    return Conversation("", ((f"{message.text}\n{first[0]}", first[1]), *rest))


def choose_defined_label(random: Random) -> Conversation:
    """The labels are words made up on the spot; the system text says what they mean."""
    message = messages.any_message(random)
    other = messages.other_matter(random, message.thing, message.matter)
    codes = [_code(random), _code(random)]
    lines = [f"{codes[0]} = {message.matter.names[0]}", f"{codes[1]} = {other.names[0]}"]
    random.shuffle(lines)
    return say(
        random.choice(("Label it. ", "Codes: ", "Meaning of the labels: ")) + "; ".join(lines) + ".",
        message.text,
        codes[0],
    )


def _code(random: Random) -> str:
    words = [
        random.choice((names.invent_word, names.derive_word))(random)
        for _ in range(random.choice((1, 2, 2, 3)))
    ]
    return "_".join(words)


def same_matter(random: Random) -> Conversation:
    message = messages.any_message(random)
    same = random.random() < 0.5
    matter = message.matter if same else messages.other_matter(random, message.thing, message.matter)
    other = messages.write_message(random, message.domain, message.thing, matter)
    question = random.choice(("Same matter?", "Do both ask for the same?", "One label for both?"))
    return say(question, f"1. {message.text}\n2. {other.text}", "yes" if same else "no")


def in_other_words(random: Random) -> Conversation:
    """A sentence of the same matter about the same thing."""
    message = messages.any_message(random)
    sentence = random.choice(message.matter.sentences).format(x=f"the {message.thing}", n=message.thing)
    return say(
        random.choice(("Say it in other words.", "Rephrase.", "Put it differently.")), message.text, sentence
    )


def write_to_label(random: Random) -> Conversation:
    """The way back: from a label to a message."""
    domain, thing, matter = messages.pick_subject(random)
    sentence = random.choice(matter.sentences).format(x=f"the {thing}", n=thing)
    label = random.choice(_SHAPES).format(n=thing, m=random.choice(matter.names), d=domain)
    return say("", f"Write a message for the label {label}", sentence)


def explain_names(random: Random) -> Conversation:
    """Names of one matter mean the same, and things belong to their area."""
    matter = random.choice(MATTERS)
    domain = random.choice(list(DOMAINS))
    return random.choice(
        (
            say("", f"Which matter is {random.choice(matter.names)}?", matter.names[0]),
            say("", f"Names for {matter.names[0]}:", ", ".join(matter.names[1:])),
            say("", f"Which area does the {random.choice(_things(domain))} belong to?", domain),
        )
    )


def _things(domain: str) -> list[str]:
    return DOMAINS[domain][1]
