"""A pasted text -> one command of Windows' prompt: carets go first, then programs cut what is left (pure).

https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments
"""

from __future__ import annotations

import re

from jobs.request_import.tokens import Command, Token, unclosed_quote_error

PART = re.compile(
    r'(?P<escaped>(?P<pairs>(?:\\\\)*)\\")|(?P<slashes>(?:\\\\)*)(?P<mark>"{1,2})|(?P<space>\s+)|\\+|[^\\\s"]+'
)


def prompt(text: str) -> list[Command]:
    return [Command(arguments(without_carets(text)))]


def without_carets(text: str) -> str:
    """A caret takes the next letter's meaning away, a newline's too, outside of quotation marks."""
    letters: list[str] = []
    quoted, at = False, 0
    while at < len(text):
        letter = text[at]
        if letter == "^" and not quoted:
            at += 2 if text.startswith("^\n", at) else 1
            letter = text[at : at + 1]
        elif letter == '"':
            quoted = not quoted
        letters.append(letter)
        at += 1
    return "".join(letters)


def arguments(line: str) -> list[Token]:
    """2n backslashes before a mark are n backslashes, and the mark begins or ends a quotation; with one
    backslash more, the mark is a letter. A doubled mark inside of a quotation is a letter, too."""
    words: list[Token] = []
    letters: list[str] = []
    inside = quoted = begun = False
    for part in PART.finditer(line):
        if part["space"] and not inside:
            words += [Token("".join(letters), quoted)] if begun else []
            letters, quoted, begun = [], False, False
            continue
        begun = True
        if part["escaped"]:
            letters.append(halved(part["pairs"]) + '"')
        elif part["mark"]:
            doubled = len(part["mark"]) == 2
            letters.append(halved(part["slashes"]) + '"' * (doubled and inside))
            inside, quoted = inside if doubled else not inside, True
        else:
            letters.append(part[0])
    if inside:
        raise unclosed_quote_error(line, len(line), '"')
    return [*words, Token("".join(letters), quoted)] if begun else words


def halved(slashes: str) -> str:
    return slashes[: len(slashes) // 2]
