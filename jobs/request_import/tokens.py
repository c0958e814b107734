"""What every pasted command line is cut into (pure).

Nothing is run and nothing is filled in: `$NAME` and `$(command)` stay as they are written, and are told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _


class Unreadable(Exception):
    """Why a pasted text was not understood, in the person's words."""


@dataclass(frozen=True, slots=True)
class Token:
    """`expands` are the variables and commands that a shell would have put in."""

    text: str
    quoted: bool = False
    expands: tuple[str, ...] = ()


@dataclass(slots=True)
class Command:
    """`stdin` is what the text itself feeds to it; `reads` and `writes` are names of files; `piped` says that
    its output is the next command's input."""

    words: list[Token] = field(default_factory=list)
    stdin: Token | None = None
    reads: str = ""
    writes: str = ""
    piped: bool = False


def line_number(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def unclosed_quote_error(text: str, at: int, mark: str) -> Unreadable:
    return Unreadable(
        _("The quotation mark %(mark)s on line %(line)d isn’t closed. Paste the whole command.")
        % {"mark": mark, "line": line_number(text, at)}
    )
