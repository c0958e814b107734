"""Labels, as every resource of the API has them."""

from collections.abc import Iterator, Mapping

from engine.protojson.errors import Violation

MOST = 64


def violations(labels: Mapping[str, str], field: str) -> Iterator[Violation]:
    """What is wrong with the labels, which stand in `field`."""
    if len(labels) > MOST:
        yield Violation(field, f"labels can have at most {MOST} entries.")
    for key, value in labels.items():
        if not (_label(key) and key[:1].isalpha() and (_label(value) or not value)):
            text = (
                f"Invalid label {key!r}: {value!r}. Keys and values have at most 63 lowercase letters, "
                "digits, underscores and dashes; a key starts with a letter."
            )
            yield Violation(field, text)


def _label(text: str) -> bool:
    return 0 < len(text) <= 63 and all(letter in "_-" or _lowercase(letter) for letter in text)


def _lowercase(letter: str) -> bool:
    return letter.isalnum() and letter == letter.lower()
