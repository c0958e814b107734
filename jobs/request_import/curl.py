"""Finds the URL and the body that a pasted curl command sends (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from jobs.request_import.bash_lexer import tokenize_bash
from jobs.request_import.tokens import Command, Token, Unreadable

CURL = re.compile(r"(?:^|[/\\!])curl(?:\.exe)?$", re.IGNORECASE)
OPTIONS_WITH_VALUE = set("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
"""curl's short options that take a value: the rest of the word, or the next word."""
DATA_OPTIONS = {"--data", "--data-ascii", "--data-binary", "--json", "--data-raw", "--data-urlencode", "-d"}
URL = re.compile(r"https?://", re.IGNORECASE)

Files = dict[str, Token]
"""Contents of the files that the pasted text writes, by name."""


@dataclass(frozen=True, slots=True)
class ExtractedRequest:
    """`unset` lists the expansions in the body and the URL that the text doesn't set."""

    body: str
    url: str = ""
    unset: tuple[str, ...] = ()


def extract_curl_request(text: str) -> ExtractedRequest:
    """Return the first curl command that sends a body. Files that the text writes before it can be sent."""
    files: Files = {}
    piped: Token | None = None
    found = False
    for command in tokenize_bash(text):
        stdin = command.stdin or piped or files.get(normalize_filename(command.reads))
        if start := find_curl(command):
            found = True
            if sent := parse_curl_arguments(command.words[start:], stdin, command.reads, files):
                return sent
        output = predict_output(command, stdin, files)
        if command.writes and output:
            files[normalize_filename(command.writes)] = output
        piped = output if command.piped else None
    if not found:
        raise Unreadable(_("No curl command found. Paste from the word curl onward."))
    raise Unreadable(
        _("This curl command sends no body. Paste the one that creates a tuning job, including its -d.")
    )


def find_curl(command: Command) -> int:
    """The index of the word after `curl`; 0 if the command has none."""
    return next(
        (at for at, word in enumerate(command.words, 1) if not word.quoted and CURL.search(word.text)), 0
    )


def predict_output(command: Command, stdin: Token | None, files: Files) -> Token | None:
    """The output of cat, echo and printf, the only commands whose output is known without running them."""
    if not command.words:
        return None
    name, *arguments = command.words
    if name.text == "cat":
        return files.get(normalize_filename(arguments[0].text)) if arguments else stdin
    if name.text in {"echo", "printf"} and arguments:
        return arguments[-1]
    return None


def parse_curl_arguments(
    words: list[Token], stdin: Token | None, reads: str, files: Files
) -> ExtractedRequest | None:
    """Return what curl sends with these arguments, None if it sends no body."""
    bodies: list[Token] = []
    urls: list[Token] = []
    for option, value in iter_options(words):
        if option in DATA_OPTIONS:
            bodies.append(resolve_data(option, value, stdin, reads, files))
        elif option in {"", "--url"} and URL.match(value.text):
            urls.append(value)
    if not bodies:
        return None
    url = next((url for url in urls if "tuningJobs" in url.text), urls[0] if urls else Token(""))
    unset = tuple(name for word in (*bodies, url) for name in word.unset)
    return ExtractedRequest("&".join(body.text for body in bodies), url.text, unset)


def iter_options(words: list[Token]) -> Iterator[tuple[str, Token]]:
    """Yield (option, value); the option is empty for a word that belongs to none."""
    rest = iter(words)
    for word in rest:
        text = word.text
        if text in DATA_OPTIONS or text == "--url":
            yield text, next(rest, Token(""))
        elif text.startswith("-") and not text.startswith("--"):
            letter, value = split_short_option(text)
            if letter:
                inside = Token(value, word.quoted, word.unset)
                yield f"-{letter}", inside if value else next(rest, Token(""))
        else:
            yield "", word


def split_short_option(text: str) -> tuple[str, str]:
    """The first option that takes a value in a word such as -sXPOST, and its value in the same word."""
    for at, letter in enumerate(text[1:], 2):
        if letter in OPTIONS_WITH_VALUE:
            return letter, text[at:]
    return "", ""


def resolve_data(option: str, value: Token, stdin: Token | None, reads: str, files: Files) -> Token:
    """The data itself, or the contents of the file that it names with @."""
    if option != "--data-raw" and value.text.startswith("@"):
        name = value.text[1:]
        content = stdin if name in {"-", "/dev/stdin", ""} else files.get(normalize_filename(name))
        if content is None:
            raise missing_file_error(reads or name)
        value = content
    if value.text in value.unset:
        raise Unreadable(
            _("This text doesn’t include the contents of the body %(body)s. Paste the JSON itself.")
            % {"body": value.text}
        )
    return value


def missing_file_error(name: str) -> Unreadable:
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
    return name.removeprefix("./")
