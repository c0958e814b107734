"""A pasted PowerShell text -> its statements (pure). Nothing is run; variables are told, not filled in.

https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.core/about/about_quoting_rules
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from jobs.request_import.tokens import Token, Unreadable, line_number, unclosed_quote_error

QUOTES = "'\u2018\u2019\u201a\u201b"
"""What PowerShell takes for a single quotation mark."""
ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
}
VARIABLE = re.compile(r"\$(?:env:)?[A-Za-z_]\w*|\$\{[^}\n]{0,200}\}|\$\([^)\n]{0,200}\)")
HERE = re.compile(rf"@([\"{QUOTES}])[ \t]*\n")
SINGLE = re.compile(rf"[{QUOTES}]((?:[^{QUOTES}]|[{QUOTES}]{{2}})*)[{QUOTES}]")
DOUBLE = re.compile(r'"((?:[^"`]|`[\s\S]|"")*)"')
BARE = re.compile(rf"(?:[^\s\"{QUOTES};|`(){{}}=,>]|`[^\n])+")
SPACE = re.compile(r"(?:[ \t]|`[ \t]*\n)+")
COMMENT = re.compile(r"#[^\n]*")
MARK = re.compile(r"[;|(){}=,>`]")

Statement = list[Token]


def statements(text: str) -> list[Statement]:
    """Words by statement; a pipe, brackets, = and > are words of their own."""
    found: list[Statement] = [[]]
    depth = at = 0
    while at < len(text):
        if text[at] == "\n" or text[at] == ";":
            if depth <= 0 and not (found[-1] and found[-1][-1] == Token("|")):
                found.append([])
            at += 1
            continue
        word, end = word_at(text, at)
        at = end
        if word is None:
            continue
        depth += (word.text in "({") - (word.text in ")}") if not word.quoted else 0
        found[-1].append(word)
    return [statement for statement in found if statement]


def word_at(text: str, at: int) -> tuple[Token | None, int]:
    """The word that begins here, None for a space or a comment, and where it ends."""
    if skipped := SPACE.match(text, at) or COMMENT.match(text, at):
        return None, skipped.end()
    if here := HERE.match(text, at):
        return here_string(text, here)
    if text[at] in QUOTES or text[at] == '"':
        return string_at(text, at)
    found = BARE.match(text, at) or MARK.match(text, at)
    if found is None:
        return None, at + 1
    return Token(re.sub(r"`(.)", r"\1", found[0])), found.end()


def string_at(text: str, at: int) -> tuple[Token, int]:
    found = DOUBLE.match(text, at) if text[at] == '"' else SINGLE.match(text, at)
    if found is None:
        raise unclosed_quote_error(text, at, text[at])
    if text[at] == '"':
        return expanding(re.sub('""', '`"', found[1])), found.end()
    return Token(re.sub(rf"([{QUOTES}])[{QUOTES}]", r"\1", found[1]), True), found.end()


def here_string(text: str, begins: re.Match[str]) -> tuple[Token, int]:
    """Ends at a line that begins with the mark and @."""
    expands = begins[1] == '"'
    ends = re.compile(r'\n"@' if expands else rf"\n[{QUOTES}]@")
    found = ends.search(text, begins.end() - 1)
    if found is None:
        raise Unreadable(
            _("The here-string on line %(line)d isn’t closed. Paste everything up to the line %(end)s.")
            % {"line": line_number(text, begins.start()), "end": f"{begins[1]}@"}
        )
    inner = text[begins.end() : max(found.start(), begins.end())]
    return (expanding(inner) if expands else Token(inner, True)), found.end()


def expanding(raw: str) -> Token:
    """A string in double quotation marks: the backtick escapes, a variable would be filled in."""
    names = tuple(VARIABLE.findall(re.sub(r"`[\s\S]", "", raw)))
    text = re.sub(r"`([\s\S])", lambda found: ESCAPES.get(found[1], found[1].strip("\n")), raw)
    return Token(text, True, names)
