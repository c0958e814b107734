"""Whole numbers in addresses, headers and page tokens. Python refuses to read more than 4,300 digits."""

import re

from engine.protojson.errors import ApiError, invalid_argument

_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
"""Up to the digits of 2**63 - 1, the largest number that the API has."""
_SHOWN = 40  # characters of a wrong value that its error repeats


def parse_whole_number(text: str, error: ApiError) -> int:
    """Raise `error` for anything but 1 to 19 digits."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise error
    return int(text)


def invalid_number(name: str, text: str) -> ApiError:
    """The error of Cloud Storage, which names a parameter in the message only."""
    return invalid_argument(f"Invalid value for {name}: {shorten(text)} is not a whole number.")


def shorten(text: str) -> str:
    """The value as an error repeats it."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
