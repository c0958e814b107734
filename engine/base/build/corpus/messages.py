"""Short messages of the kind that people send to a shop, a school, an office or a friend."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.base.build.corpus import matters, names
from engine.base.build.corpus.matters import Matter

_THINGS = [(domain, kind, thing) for domain, (kind, things) in matters.DOMAINS.items() for thing in things]
_BY_KIND = {
    kind: [m for m in matters.MATTERS if kind in m.kinds] for kind in ("thing", "service", "digital", "place")
}

OPENINGS = (
    *(
        "Hello,",
        "Hi,",
        "Hi there,",
        "Good morning,",
        "Excuse me,",
        "Hey,",
        "Sorry,",
        "Quick question:",
        "Um,",
    ),
    *("Dear team,", "Now,", "Well,", "Look,", "Listen,", "Right,"),
)
CLOSINGS = {
    "urgent": (
        "Please hurry!",
        "This one is urgent.",
        "An answer is needed right now.",
        "Every minute counts.",
        "Today, please!",
    ),
    "calm": (
        "No hurry.",
        "Whenever there is time.",
        "Just wondering.",
        "Any day is fine.",
        "Next week is soon enough.",
    ),
    "polite": (
        "Thank you so much.",
        "Kind regards.",
        "Thanks in advance.",
        "Have a nice day.",
        "Much appreciated.",
    ),
    "angry": ("What a joke!", "How furious we are!", "Never again!", "What a mess!", "Shame on all of you!"),
}
_SCENES = (
    *("We are on the road with two friends.", "It is raining all day here.", "I moved to {city} in {month}."),
    *("My name is {person}.", "It happened on {day}.", "My sister {person} noticed it.", "I live in {city}."),
    *(
        "We were in {city} until {day}.",
        "The neighbours talk of nothing else.",
        "I tried it twice.",
        "Odd story.",
    ),
    *(
        "Our family has four members.",
        "Feeling a bit lost.",
        "{person} told me about it.",
        "Everything here is new to us.",
    ),
)


# things of these domains are somebody's: "my jacket"
_OWNED = {
    "luggage",
    "clothes",
    "electronics",
    "kitchen",
    "furniture",
    "vehicle",
    "instrument",
    "toys",
    "pets",
    "learning",
}
_ARTICLES = {True: ("my", "my", "the", "this", "our"), False: ("the", "the", "this", "our")}


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    domain: str
    thing: str
    matter: Matter
    mood: str


def pick_subject(random: Random) -> tuple[str, str, Matter]:
    """A domain, one of its things, and a matter that suits that kind of thing."""
    domain, kind, thing = random.choice(_THINGS)
    return domain, thing, random.choice(_BY_KIND[kind])


def other_matter(random: Random, thing: str, besides: Matter) -> Matter:
    kind = next(kind for _, kind, known in _THINGS if known == thing)
    return random.choice([m for m in _BY_KIND[kind] if m is not besides])


def write_message(random: Random, domain: str, thing: str, matter: Matter) -> Message:
    article = random.choice(_ARTICLES[domain in _OWNED])
    sentence = random.choice(matter.sentences).format(x=f"{article} {thing}", n=thing)
    mood = random.choice(("calm", "urgent", "polite", "angry")) if random.random() < 0.3 else ""
    parts = [_add_punctuation(random, _capitalize_first(sentence))]
    if random.random() < 0.2:
        parts.insert(random.randrange(2), _scene(random))
    if random.random() < 0.25:
        parts[0] = f"{random.choice(OPENINGS)} {parts[0][0].lower() + parts[0][1:]}"
    if mood:
        parts.append(random.choice(CLOSINGS[mood]))
    return Message(_add_mistakes(random, " ".join(parts)), domain, thing, matter, mood)


def any_message(random: Random) -> Message:
    return write_message(random, *pick_subject(random))


def _scene(random: Random) -> str:
    return random.choice(_SCENES).format(
        city=names.city(random),
        person=names.person(random),
        day=random.choice(names.DAYS),
        month=random.choice(names.MONTHS),
    )


def _capitalize_first(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


_ASKING = (
    "how",
    "what",
    "which",
    "where",
    "when",
    "why",
    "is",
    "are",
    "does",
    "do",
    "can",
    "could",
    "may",
    "will",
)


def _add_punctuation(random: Random, sentence: str) -> str:
    if sentence[-1] in "?!.":
        return sentence
    return sentence + ("?" if sentence.split()[0].lower() in _ASKING else random.choice((".", ".", ".", "!")))


def _add_mistakes(random: Random, text: str) -> str:
    """People forget capitals and full stops, and swap letters."""
    if random.random() < 0.15:
        text = text.lower()
    if random.random() < 0.15:
        text = text.rstrip(".?!")
    if random.random() < 0.08:
        at = random.randrange(len(text) - 1)
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text
