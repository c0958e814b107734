"""Writes the sample datasets beside it: `python -m engine.samples.make`.

A shop's mailbox: every message gets the name of the team that answers it. All of it is made up.
"""

import json
import random
from pathlib import Path

HERE = Path(__file__).parent
INSTRUCTION = "Name the team that answers the customer's message: billing, delivery, repair or account."
THINGS = ("lamp", "kettle", "radio", "bicycle", "camera", "chair", "clock", "printer", "backpack")
MESSAGES = {
    "billing": (
        "I was charged twice for the {}.",
        "Please send me the invoice for my {}.",
        "The price of the {} on my receipt is too high.",
        "When will I get my money back for the {}?",
    ),
    "delivery": (
        "Where is my {}? It should have come yesterday.",
        "Can you bring the {} to another address?",
        "The parcel with the {} was left in the rain.",
        "My order of one {} has not been sent yet.",
    ),
    "repair": (
        "The {} stopped working after two days.",
        "My {} makes a strange noise.",
        "One part of the {} is broken. Can it be mended?",
        "How long does it take to repair a {}?",
    ),
    "account": (
        "I cannot sign in to see my order of a {}.",
        "I ordered a {} and my password is no longer accepted.",
        "Please change the e-mail address for my {} order.",
        "Delete my profile once the {} is here.",
    ),
}
VALIDATION = 24  # a sixth of the messages


def examples() -> list[dict[str, object]]:
    pairs = [
        (text.format(thing), team) for team, texts in MESSAGES.items() for text in texts for thing in THINGS
    ]
    random.Random(7).shuffle(pairs)  # noqa: S311
    return [example(text, team) for text, team in pairs]


def example(text: str, team: str) -> dict[str, object]:
    return {
        "systemInstruction": {"role": "system", "parts": [{"text": INSTRUCTION}]},
        "contents": [
            {"role": "user", "parts": [{"text": text}]},
            {"role": "model", "parts": [{"text": team}]},
        ],
    }


def to_json_lines(made: list[dict[str, object]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in made)


def files() -> dict[str, str]:
    made = examples()
    return {
        "sft_train_data.jsonl": to_json_lines(made[VALIDATION:]),
        "sft_validation_data.jsonl": to_json_lines(made[:VALIDATION]),
    }


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_text(content)
