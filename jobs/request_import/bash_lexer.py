"""Splits a pasted text into commands as bash does, and fills in the variables that the text sets (pure).

https://www.gnu.org/software/bash/manual/bash.html#Shell-Syntax, as far as people paste it.
Nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.utils.translation import gettext as _

from jobs.request_import.tokens import Command, Token, Unreadable, line_number, unclosed_quote_error

ANSI_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
ANSI_CODE = re.compile(r"u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})")
# An expansion is at most 200 characters on one line, so that a text full of `$(` takes no quadratic time.
EXPANSION = re.compile(
    r"\$(?:\{(?P<braced>[^}\n]{0,200})\}|\([^)\n]{0,200}\)|(?P<name>[A-Za-z_]\w*))|`[^`\n]{0,200}`"
)
HERE_DOCUMENT_PART = re.compile(rf"\\(?P<escaped>[\\$`\n])|{EXPANSION.pattern}")
DELIMITER = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|(\\?)([^\s;|&<>'\"]+))")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
NAME = re.compile(r"[A-Za-z_]\w*")
DECLARATIONS = {"$", "export", "readonly", "declare", "typeset", "local"}
"""Words in front of an assignment. `$` is the prompt that documentation prints."""


def tokenize_bash(text: str) -> list[Command]:
    """Return the commands of `text`. Raises Unreadable for an unclosed quotation mark or here-document.

    An unquoted variable stays one word even if its value contains spaces.
    """
    return BashLexer(text).tokenize()


class BashLexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.commands: list[Command] = [Command()]
        self.variables: dict[str, str] = {}
        self.pending: list[tuple[Command, str, bool, bool]] = []
        self.target = ""
        self._begin_word()

    def _begin_word(self) -> None:
        self.letters: list[str] = []
        self.open = self.quoted = False
        self.unset: list[str] = []

    def tokenize(self) -> list[Command]:
        while self.at < len(self.text):
            step = STEPS.get(self.text[self.at])
            if step:
                step(self)
            else:
                self._take_characters(1)
        self._end_command()
        return [command for command in self.commands if command.words or command.stdin]

    def _take_characters(self, count: int) -> None:
        self.letters.append(self.text[self.at : self.at + count])
        self.open = True
        self.at += count

    def _end_word(self) -> None:
        if self.open:
            self._emit_word(Token("".join(self.letters), self.quoted, tuple(self.unset)))
        self._begin_word()

    def _emit_word(self, word: Token) -> None:
        command, target, self.target = self.commands[-1], self.target, ""
        if target == "<<<":
            command.stdin = word
        elif target == "<":
            command.reads = word.text
        elif target:
            command.writes = word.text
        else:
            command.words.append(word)

    def _end_command(self, piped: bool = False) -> None:
        self._end_word()
        self.commands[-1].piped = piped
        for name, value in find_assignments(self.commands[-1].words):
            # A value that contains a command's output is unknown, and so is the variable.
            if value.unset:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value.text
        self.commands.append(Command())

    def lex_space(self) -> None:
        self._end_word()
        self.at += 1

    def lex_newline(self) -> None:
        # After a pipe the command continues on the next line.
        self._end_word()
        if self.commands[-1].words or self.commands[-1].stdin:
            self._end_command()
        self.at += 1
        for command, end, strips_tabs, literal in self.pending:
            self._read_here_document(command, end, strips_tabs, literal)
        self.pending = []

    def _read_here_document(self, command: Command, end: str, strips_tabs: bool, literal: bool) -> None:
        lines: list[str] = []
        start = self.at
        while self.at < len(self.text):
            stop = self.text.find("\n", self.at)
            line = self.text[self.at : stop if stop >= 0 else len(self.text)]
            self.at += len(line) + 1
            line = line.lstrip("\t") if strips_tabs else line
            if line == end:
                break
            lines.append(line)
        else:
            raise Unreadable(
                _("The here-document on line %(line)d isn’t closed. Paste everything up to the line %(end)s.")
                % {"line": line_number(self.text, start) - 1, "end": end}
            )
        body = "\n".join(lines)
        command.stdin = Token(body, True) if literal else self._expand_here_document(body)

    def _expand_here_document(self, body: str) -> Token:
        unset: list[str] = []

        def replace(part: re.Match[str]) -> str:
            escaped: str | None = part["escaped"]
            return self._expand(part, unset) if escaped is None else escaped.strip("\n")

        return Token(HERE_DOCUMENT_PART.sub(replace, body), True, tuple(unset))

    def _expand(self, expansion: re.Match[str], unset: list[str]) -> str:
        """The variable's value; the expansion itself, added to `unset`, if the text doesn't set it."""
        value = self.variables.get(expansion["braced"] or expansion["name"] or "")
        if value is None:
            unset.append(expansion[0])
            return expansion[0]
        return value

    def lex_comment(self) -> None:
        if self.open:
            return self._take_characters(1)
        self.at = end if (end := self.text.find("\n", self.at)) >= 0 else len(self.text)
        return None

    def lex_escape(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following != "\n":
            self.letters.append(following or "\\")
            self.open = True

    def lex_single_quotes(self) -> None:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise unclosed_quote_error(self.text, self.at, "'")
        self.letters.append(self.text[self.at + 1 : end])
        self.open = self.quoted = True
        self.at = end + 1

    def lex_double_quotes(self) -> None:
        start, self.at = self.at, self.at + 1
        self.open = self.quoted = True
        while (letter := self.text[self.at : self.at + 1]) != '"':
            if not letter:
                raise unclosed_quote_error(self.text, start, '"')
            following = self.text[self.at + 1 : self.at + 2]
            if letter == "\\" and following and following in '"\\$`\n':
                self.letters.append(following.strip("\n"))
                self.at += 2
            elif letter in "$`":
                self.lex_expansion()
            else:
                self._take_characters(1)
        self.at += 1

    def lex_dollar(self) -> None:
        if self.text.startswith("$'", self.at):
            self._lex_ansi_quotes()
        else:
            self.lex_expansion()

    def lex_expansion(self) -> None:
        expansion = EXPANSION.match(self.text, self.at)
        if expansion is None:
            return self._take_characters(1)
        value = self._expand(expansion, self.unset)
        self.letters.append(value)
        # An empty variable outside of quotation marks makes no word.
        self.open = self.open or bool(value)
        self.at = expansion.end()
        return None

    def _lex_ansi_quotes(self) -> None:
        start, self.at = self.at, self.at + 2
        self.open = self.quoted = True
        while (letter := self.text[self.at : self.at + 1]) != "'":
            if not letter:
                raise unclosed_quote_error(self.text, start, "$'")
            if letter == "\\":
                self._lex_ansi_escape()
            else:
                self._take_characters(1)
        self.at += 1

    def _lex_ansi_escape(self) -> None:
        code = ANSI_CODE.match(self.text, self.at + 1)
        if code:
            digits = code[1] or code[2] or code[3]
            number = int(digits, 16) if digits else int(code[4], 8)
            self.letters.append(chr(number) if is_character(number) else "\ufffd")
            self.at = code.end()
            return
        letter = self.text[self.at + 1 : self.at + 2]
        self.letters.append(ANSI_ESCAPES.get(letter, letter))
        self.at += 2

    def lex_input_redirect(self) -> None:
        self._end_word()
        if self.text.startswith("<<<", self.at):
            self.target = "<<<"
            self.at += 3
        elif document := DELIMITER.match(self.text, self.at):
            dash, single, double, escaped, plain = document.groups()
            end = single or double or plain
            self.pending.append((self.commands[-1], end, bool(dash), not plain or bool(escaped)))
            self.at = document.end()
        else:
            self.target = "<"
            self.at += 1

    def lex_output_redirect(self) -> None:
        # The number of a stream, as in 2>, is not a word.
        if "".join(self.letters).isdigit():
            self._begin_word()
        self._end_word()
        self.target = ">"
        self.at += 2 if self.text.startswith((">>", ">&", ">|"), self.at) else 1

    def lex_separator(self) -> None:
        double = self.text[self.at : self.at + 2] in {"||", "&&"}
        self._end_command(piped=self.text[self.at] == "|" and not double)
        self.at += 2 if double else 1


STEPS: dict[str, Callable[[BashLexer], None]] = {
    " ": BashLexer.lex_space,
    "\t": BashLexer.lex_space,
    "\n": BashLexer.lex_newline,
    "#": BashLexer.lex_comment,
    "\\": BashLexer.lex_escape,
    "'": BashLexer.lex_single_quotes,
    '"': BashLexer.lex_double_quotes,
    "$": BashLexer.lex_dollar,
    "`": BashLexer.lex_expansion,
    "<": BashLexer.lex_input_redirect,
    ">": BashLexer.lex_output_redirect,
    "|": BashLexer.lex_separator,
    "&": BashLexer.lex_separator,
    ";": BashLexer.lex_separator,
}


def find_assignments(words: list[Token]) -> list[tuple[str, Token]]:
    """The variables that a command sets, with their values.

    `NAME=value command` sets none, since it sets them for that command only. `NAME = value`, as documentation
    writes it, is an assignment here, though not in bash.
    """
    start = 0
    while start < len(words) and words[start].text in DECLARATIONS:
        start += 1
    words = words[start:]
    if len(words) == 3 and words[1] == Token("=") and NAME.fullmatch(words[0].text):
        return [(words[0].text, words[2])]
    found = [(ASSIGNMENT.fullmatch(word.text), word) for word in words]
    assignments = [
        (match[1], Token(match[2], word.quoted, word.unset)) for match, word in found if match is not None
    ]
    return assignments if len(assignments) == len(words) else []


def is_character(number: int) -> bool:
    return number < 0xD800 or 0xE000 <= number < 0x110000
