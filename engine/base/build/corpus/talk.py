"""Small talk, facts, feelings, and personas that the system text asks for."""

from __future__ import annotations

from random import Random

from engine.base.build.corpus import lists, messages, names, words
from engine.base.build.corpus.conversation import Conversation, say

_SYSTEMS = (
    "",
    "",
    "You are a helpful assistant.",
    "You are a small assistant. Answer briefly.",
    "Answer the user.",
)
_GREETINGS = (
    ("Hello", "Hello! How can I help you?"),
    ("Hi", "Hello! How can I help you?"),
    ("Who are you?", "I am a tiny language model."),
    ("Thank you", "You are welcome."),
    ("Goodbye", "Goodbye!"),
    ("What can you do?", "I can repeat, classify, extract and format short texts."),
    ("How are you?", "I am fine, thank you."),
    ("こんにちは", "こんにちは。ご用件は何ですか。"),
    ("あなたは誰ですか", "私は小さな言語モデルです。"),
    ("ありがとう", "どういたしまして。"),
)
_VERDICTS = lists.read_words("verdicts")
_REVIEWS = (
    "The {thing} was {verdict}.",
    "We bought this {thing} in {city} and it is {verdict}.",
    "{verdict}! That is all about the {thing}.",
    "Honestly, our {thing} is {verdict}.",
    "A {verdict} {thing}, said {person}.",
)
_MANNERS = (
    ("a pirate", "Arr! {} Yo ho!"),
    ("a robot", "BEEP. {} BEEP."),
    ("a cat", "Meow. {} Purr."),
    ("a king", "Hear me! {} So be it."),
    ("a poet", "O dear, {} Ah!"),
    ("a cowboy", "Howdy! {} Yeehaw."),
    ("a polite butler", "Certainly. {} At your service."),
    ("a teacher", "Listen, class. {} Any questions?"),
)


def greeting(random: Random) -> Conversation:
    return say(random.choice(_SYSTEMS), *random.choice(_GREETINGS))


def ask_capital(random: Random) -> tuple[str, str]:
    country, city = random.choice(list(names.CAPITALS.items()))
    return random.choice(
        (
            (f"What is the capital of {country}?", f"The capital of {country} is {city}."),
            (f"Which country is {city} in?", f"{city} is in {country}."),
        )
    )


def fact(random: Random) -> Conversation:
    return say(random.choice(_SYSTEMS), *ask_capital(random))


def recall_introduction(random: Random) -> Conversation:
    """Two turns: what was said first is asked back."""
    person, food = names.person(random), random.choice(words.TOPICS["food"] + [names.invent_word(random)])
    first = (f"My name is {person} and I like {food}.", f"Nice to meet you, {person}! I like {food} too.")
    return Conversation(
        random.choice(_SYSTEMS),
        (
            first,
            random.choice(
                (("What is my name?", f"Your name is {person}."), ("What do I like?", f"You like {food}."))
            ),
        ),
    )


def reply(random: Random) -> Conversation:
    """An answer that takes the thing up."""
    message = messages.any_message(random)
    answers = (
        f"I am sorry about the {message.thing}. We will look into it.",
        f"Thank you for the message about the {message.thing}.",
        f"So this is about the {message.thing}. A colleague will answer soon.",
    )
    return say(
        random.choice(("Reply.", "Answer the customer.", *_SYSTEMS)), message.text, random.choice(answers)
    )


def sentiment(random: Random) -> Conversation:
    feeling, verdicts = random.choice(list(_VERDICTS.items()))
    thing = random.choice(words.TOPICS[random.choice(("device", "food", "clothes", "drink", "home"))])
    text = random.choice(_REVIEWS).format(
        thing=thing, verdict=random.choice(verdicts), city=names.city(random), person=names.person(random)
    )
    text = text[0].upper() + text[1:]
    if random.random() < 0.5:
        return say(random.choice(("Sentiment?", "Positive, negative or neutral?")), text, feeling)
    codes = {known: names.derive_word(random) for known in _VERDICTS}
    rules = ", ".join(f"{known} as {code}" for known, code in codes.items())
    return say(f"Label {rules}.", text, codes[feeling])


def persona(random: Random) -> Conversation:
    """The system text names a character, or words to begin and to end with."""
    person = names.person(random)
    question, answer = random.choice((ask_capital, _likes, _ask_for_device))(random)
    draw = random.random()
    if draw < 0.5:
        character, manner = random.choice(_MANNERS)
        return say(f"You are {person}, {character}.", question, manner.format(answer))
    opening = random.choice(("Sure!", "OK.", "はい。", f"{names.invent_word(random).capitalize()}!"))
    if draw < 0.75:
        return say(f"Start every answer with {opening}", question, f"{opening} {answer}")
    return say(f"End every answer with {opening}", question, f"{answer} {opening}")


def _likes(random: Random) -> tuple[str, str]:
    person, food = names.person(random), random.choice(words.TOPICS["food"])
    return f"I am {person} and I like {food}.", f"Nice to meet you, {person}! I like {food} too."


def _ask_for_device(random: Random) -> tuple[str, str]:
    device = random.choice(words.TOPICS["device"])
    return f"Where is my {device}?", f"No idea where your {device} is, sorry."


def story(random: Random) -> Conversation:
    person, city = names.person(random), names.city(random)
    colour, animal = random.choice(words.TOPICS["colour"]), random.choice(words.TOPICS["animal"])
    food, day = random.choice(words.TOPICS["food"]), random.choice(names.DAYS)
    return say(
        random.choice(_SYSTEMS),
        "Tell a short story.",
        f"{person} lived in {city}. One {day} {person} found a {colour} {animal} and gave it some {food}. "
        "They became friends.",
    )
