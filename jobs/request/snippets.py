"""A tuning request as texts that somebody runs elsewhere: REST, curl, PowerShell, Python (pure).

Each text carries the same body, the dict that jobs.spec makes. What a Python library has no argument for is
said in a comment of the text, and named in `left_out`. The texts are code: English in every language.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata

from jobs.request.python_snippets import python_genai, python_vertexai
from jobs.request.target import TOKEN_VARIABLE, Body, RequestTarget, Snippet

__all__ = ["SNIPPET_BUILDERS", "curl", "powershell", "python_genai", "python_vertexai", "rest"]

JSON_TYPE = "application/json; charset=utf-8"
HEREDOC = "REQUEST"
SAFE_IN_DOUBLE_QUOTES = re.compile(r"[^\"$`\\!\x00-\x1f]*")


def format_body(body: Body) -> str:
    """The body as JSON over several lines. What cannot be seen (control and direction marks, half a
    character) is escaped, so that the text says what it shows and its newlines are those between fields."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return "".join(
        letter if letter == "\n" or is_visible(letter) else escape_character(letter) for letter in text
    )


def is_visible(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def escape_character(letter: str) -> str:
    return json.dumps(letter)[1:-1] if ord(letter) > 0x7F else f"\\u{ord(letter):04x}"


def rest(body: Body, address: RequestTarget) -> Snippet:
    """The HTTP request itself, as .http files have it."""
    head = f"POST {address.method_url}\nContent-Type: {JSON_TYPE}"
    return Snippet("rest", "REST", f"{head}\n\n{format_body(body)}")


def curl(body: Body, address: RequestTarget) -> Snippet:
    """The reference page's command, with the body in it: a quoted here-document is taken as it stands."""
    lines = [
        "curl -X POST",
        *(f"-H {quote_for_shell(header)}" for header in shell_headers(address)),
        "--data-binary @-",
        f"{quote_for_shell(address.method_url)} <<'{HEREDOC}'",
    ]
    command = " \\\n     ".join(lines)
    return Snippet("curl", "curl", f"{token_comment(address)}{command}\n{format_body(body)}\n{HEREDOC}")


def shell_headers(address: RequestTarget) -> list[str]:
    headers = [f"Content-Type: {JSON_TYPE}"]
    if address.quota_project and not address.on_engine:
        headers.insert(0, f"x-goog-user-project: {address.quota_project}")
    if not address.on_engine:
        headers.insert(0, "Authorization: Bearer $(gcloud auth print-access-token)")
    elif address.token:
        headers.insert(0, f"Authorization: Bearer ${TOKEN_VARIABLE}")
    return headers


def quote_for_shell(text: str) -> str:
    """Double quotes where nothing inside them is special, or where a token is to be put in."""
    fills_in = text.startswith("Authorization: Bearer $")
    return f'"{text}"' if fills_in or SAFE_IN_DOUBLE_QUOTES.fullmatch(text) else shlex.quote(text)


def token_comment(address: RequestTarget) -> str:
    return f"# {TOKEN_VARIABLE} holds the engine's token.\n" if address.on_engine and address.token else ""


def powershell(body: Body, address: RequestTarget) -> Snippet:
    """A single-quoted here-string is taken as it stands. It would end at a line that begins with a quotation
    mark and @, which a line of JSON never does; in ASCII, no code page can spoil it."""
    text = json.dumps(body, indent=2).replace("\x7f", "\\u007f")
    arguments = [
        "Invoke-WebRequest",
        "-Method POST",
        "-Headers $headers",
        f'-ContentType "{JSON_TYPE}"',
        "-Body $body",
        f"-Uri {quote_for_powershell(address.method_url)}",
        "-UseBasicParsing | Select-Object -ExpandProperty Content",
    ]
    call = " `\n    ".join(arguments)
    return Snippet(
        "powershell",
        "PowerShell",
        f"{token_comment(address)}{powershell_headers(address)}\n$body = @'\n{text}\n'@\n\n{call}",
    )


def powershell_headers(address: RequestTarget) -> str:
    if address.on_engine:
        bearer = f'"Authorization" = "Bearer $env:{TOKEN_VARIABLE}" ' if address.token else ""
        return f"$headers = @{{ {bearer}}}"
    quota = (
        f'; "x-goog-user-project" = {quote_for_powershell(address.quota_project)}'
        if address.quota_project
        else ""
    )
    first = "$cred = gcloud auth print-access-token"
    return f'{first}\n$headers = @{{ "Authorization" = "Bearer $cred"{quota} }}'


def quote_for_powershell(text: str) -> str:
    """PowerShell takes the curly quotation marks for straight ones."""
    doubled = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text)
    return f"'{doubled}'"


SNIPPET_BUILDERS = (rest, curl, powershell, python_genai, python_vertexai)
