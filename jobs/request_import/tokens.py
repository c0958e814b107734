"""Words and commands of a pasted bash text, and the error for a text that can't be read (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _


class Unreadable(Exception):
    """Why a pasted text can't be read, in the user's language."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word. `unset` lists the expansions left in it as written: variables that the text doesn't set, and
    commands such as `$(date)`."""

    text: str
    quoted: bool = False
    unset: tuple[str, ...] = ()


@dataclass(slots=True)
class Command:
    """A simple command. `stdin` is the input that the text itself contains, `reads` and `writes` are the
    files of its redirections, and `piped` says whether its output is the next command's input."""

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
