"""A pasted curl or PowerShell text -> the address and the body that it would have sent (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from django.utils.translation import gettext as _

from jobs.request_import import powershell_lexer
from jobs.request_import.bash_lexer import tokenize_bash
from jobs.request_import.cmd_lexer import prompt
from jobs.request_import.powershell_lexer import Statement
from jobs.request_import.tokens import Command, Token, Unreadable

CURL = re.compile(r"(?:^|[/\\!])curl(?:\.exe)?$", re.IGNORECASE)
OPTIONS_WITH_VALUE = set("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
"""curl's short options that take the next word, or the rest of their own."""
DATA_OPTIONS = {"--data", "--data-ascii", "--data-binary", "--json", "--data-raw", "--data-urlencode", "-d"}
WEB_REQUEST = {"invoke-webrequest", "invoke-restmethod", "iwr", "irm"}
SAVES = {"out-file", "set-content"}
WINDOWS = re.compile(r"\^[ \t]*\n|\bcurl(?:\.exe)?\b[^'\"\n]*\^\"")
"""A line that goes on after a caret, or a caret before the first quotation mark."""
URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExtractedRequest:
    """`expands` are the variables and commands that a shell would have put into the body."""

    body: str
    url: str = ""
    expands: tuple[str, ...] = ()


def extract_curl_request(text: str) -> ExtractedRequest:
    """The first curl command that sends something, with the files that the text itself makes."""
    commands = split_commands(text)
    files = {
        normalize_filename(command.writes): word
        for command in commands
        if command.writes and (word := predict_output(command))
    }
    fed: Token | None = None
    found = False
    for command in commands:
        at = next((at for at, word in enumerate(command.words, 1) if is_curl(word)), 0)
        if at:
            found = True
            stdin = command.stdin or fed or files.get(normalize_filename(command.reads))
            if sent := parse_curl_command(command.words[at:], stdin, command.reads, files):
                return sent
        fed = predict_output(command) if command.piped else None
    if not found:
        raise Unreadable(_("No curl command found. Paste from the word curl onward."))
    raise Unreadable(
        _("This curl command sends no body. Paste the one that creates a tuning job, including its -d.")
    )


def is_curl(word: Token) -> bool:
    return not word.quoted and bool(CURL.search(word.text))


def split_commands(text: str) -> list[Command]:
    if WINDOWS.search(text):
        return prompt(text)
    if re.search(r"`[ \t]*\n", text):
        return [Command(words) for words in powershell_lexer.statements(text)]
    return tokenize_bash(text)


def predict_output(command: Command) -> Token | None:
    """What cat and echo write: the only commands whose output can be told without running them."""
    if not command.words:
        return None
    name, *rest = command.words
    if name.text == "cat" and not rest:
        return command.stdin
    if name.text in {"echo", "printf"} and rest:
        return rest[-1]
    return None


def parse_curl_command(
    words: list[Token], stdin: Token | None, reads: str, files: dict[str, Token]
) -> ExtractedRequest | None:
    bodies: list[Token] = []
    urls: list[str] = []
    for option, value in options(words):
        if option in DATA_OPTIONS:
            bodies.append(resolve_data(option, value, stdin, reads, files))
        elif option in {"", "--url"} and URL.match(value.text):
            urls.append(value.text)
    if not bodies:
        return None
    url = next((url for url in urls if "tuningJobs" in url), urls[0] if urls else "")
    expands = tuple(name for body in bodies for name in body.expands)
    return ExtractedRequest("&".join(body.text for body in bodies), url, expands)


def options(words: list[Token]) -> Iterator[tuple[str, Token]]:
    """(option, value), with "" for what stands alone."""
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in DATA_OPTIONS or text == "--url":
            yield text, next(rest, Token(""))
        elif text.startswith("-") and not text.startswith("--"):
            letter, value = split_short_option(text)
            if letter:
                yield (
                    f"-{letter}",
                    Token(value, word.quoted, word.expands) if value else next(rest, Token("")),
                )
        else:
            yield "", word


def split_short_option(text: str) -> tuple[str, str]:
    """Of letters put together, the first one that takes a value, and what of it stands in the same word."""
    for at, letter in enumerate(text[1:], 2):
        if letter in OPTIONS_WITH_VALUE:
            return letter, text[at:]
    return "", ""


def resolve_data(
    option: str, value: Token, stdin: Token | None, reads: str, files: dict[str, Token]
) -> Token:
    if option == "--data-raw" or not value.text.startswith("@"):
        return value
    name = value.text[1:]
    found = stdin if name in {"-", "/dev/stdin", ""} else files.get(normalize_filename(name))
    if found is None:
        raise body_in_file_error(reads or name)
    return found


def body_in_file_error(name: str) -> Unreadable:
    if name in {"-", ""}:
        return Unreadable(_("The body comes from another command. Paste the JSON itself."))
    return Unreadable(
        _(
            "The body is in the file %(file)s, which this page can’t read. Paste the contents of the "
            "file instead."
        )
        % {"file": name}
    )


def normalize_filename(name: str) -> str:
    return name.removeprefix("./").removeprefix(".\\")


def from_powershell(text: str) -> ExtractedRequest:
    """Invoke-WebRequest or Invoke-RestMethod, with the variables and files that the text itself makes."""
    statements = powershell_lexer.statements(text)
    variables = {
        words[0].text.lower(): words[2]
        for words in statements
        if len(words) > 2 and words[0].text.startswith("$") and words[1] == Token("=") and words[2].quoted
    }
    files = {normalize_filename(name): words[0] for words in statements if (name := saved(words))}
    for words in statements:
        names = [word.text.lower() for word in words]
        if at := next((at for at, name in enumerate(names, 1) if name in WEB_REQUEST), 0):
            return by_web_request(words[at:], variables, files)
    raise Unreadable(_("No Invoke-WebRequest found. Paste the whole command."))


def saved(words: Statement) -> str:
    """The file that a string is written to; empty where none is."""
    names = [word.text.lower() for word in words]
    if not words[0].quoted or not (SAVES & set(names) or ">" in names):
        return ""
    at = next(at for at, name in enumerate(names) if name in SAVES | {">"})
    after = words[at + 1 :]
    named = [value.text for name, value in pairwise(after) if is_path(name)]
    return named[0] if named else after[0].text if after else ""


def is_path(word: Token) -> bool:
    return word.text.lower().rstrip(":") in {"-filepath", "-path", "-literalpath"}


def by_web_request(
    words: Statement, variables: dict[str, Token], files: dict[str, Token]
) -> ExtractedRequest:
    given = {name.text.lower().rstrip(":"): at for at, name in enumerate(words, 1)}
    url = next((word.text for word in words[given.get("-uri", 0) :] if URL.match(word.text)), "")
    if "-infile" in given:
        name = "".join(word.text for word in words[given["-infile"] :][:1])
        if normalize_filename(name) not in files:
            raise body_in_file_error(name)
        body = files[normalize_filename(name)]
    elif "-body" in given:
        body = body_of(words[given["-body"] :], variables)
    else:
        raise Unreadable(
            _("This command sends no body. Paste the one that creates a tuning job, including its -Body.")
        )
    return ExtractedRequest(body.text, url, body.expands)


def body_of(words: Statement, variables: dict[str, Token]) -> Token:
    """A string, a variable that holds one, or either inside of brackets (as when it is turned into bytes)."""
    inside = bracketed(words)
    strings = [word for word in inside if word.quoted]
    known = [variables[name] for word in inside if (name := word.text.lower()) in variables]
    if len(strings + known) == 1 and "{" not in [word.text for word in inside if not word.quoted]:
        return (strings + known)[0]
    shown = " ".join(word.text for word in inside[:3])
    raise Unreadable(
        _("This text doesn’t include the contents of the body %(body)s. Paste the JSON itself.")
        % {"body": shown[:80]}
    )


def bracketed(words: Statement) -> Statement:
    """The first word, or all up to the bracket that closes it."""
    depth = 0
    for at, word in enumerate(words, 1):
        depth += (word.text == "(") - (word.text == ")") if not word.quoted else 0
        if depth <= 0:
            return words[:at]
    return words
