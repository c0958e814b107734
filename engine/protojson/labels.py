"""Labels, as every resource of the API has them."""

from collections.abc import Iterator, Mapping

from engine.protojson.errors import Violation

MAX_LABELS = 64  # as Google Cloud allows for each resource


def find_violations(labels: Mapping[str, str], field: str) -> Iterator[Violation]:
    """What is wrong with the labels, which stand in `field`."""
    if len(labels) > MAX_LABELS:
        yield Violation(field, f"labels can have at most {MAX_LABELS} entries.")
    for key, value in labels.items():
        if not (_is_label(key) and key[:1].isalpha() and (_is_label(value) or not value)):
            text = (
                f"Invalid label {key!r}: {value!r}. Keys and values can have at most 63 lowercase letters, "
                "digits, underscores and dashes; a key starts with a letter."
            )
            yield Violation(field, text)


def _is_label(text: str) -> bool:
    return 0 < len(text) <= 63 and all(letter in "_-" or _is_lowercase(letter) for letter in text)


def _is_lowercase(letter: str) -> bool:
    return letter.isalnum() and letter == letter.lower()
