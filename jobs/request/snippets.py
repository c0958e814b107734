"""Code samples of a tuning request: REST, curl, PowerShell and Python (pure).

All samples contain the same body, made by jobs.request.body. Fields without an argument in a Python library
are mentioned in a comment of the sample and listed in `left_out`. Samples are in English in every language.
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
    """Return the body as indented JSON.

    Invisible characters (control and direction marks, lone surrogates) are escaped, so that the text is what
    it looks like and all newlines are between fields.
    """
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return "".join(
        letter if letter == "\n" or is_visible(letter) else escape_character(letter) for letter in text
    )


def is_visible(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def escape_character(letter: str) -> str:
    return json.dumps(letter)[1:-1] if ord(letter) > 0x7F else f"\\u{ord(letter):04x}"


def rest(body: Body, address: RequestTarget) -> Snippet:
    """Return the HTTP request in the format of .http files."""
    head = f"POST {address.method_url}\nContent-Type: {JSON_TYPE}"
    return Snippet("rest", "REST", f"{head}\n\n{format_body(body)}")


def curl(body: Body, address: RequestTarget) -> Snippet:
    """Return the reference page's curl command with the body in a quoted here-document, which is not
    expanded."""
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
    """Quote for the shell: double quotes if nothing is special inside them or a token is substituted."""
    fills_in = text.startswith("Authorization: Bearer $")
    return f'"{text}"' if fills_in or SAFE_IN_DOUBLE_QUOTES.fullmatch(text) else shlex.quote(text)


def token_comment(address: RequestTarget) -> str:
    return f"# {TOKEN_VARIABLE} holds the engine's token.\n" if address.on_engine and address.token else ""


def powershell(body: Body, address: RequestTarget) -> Snippet:
    """Return the PowerShell command with the body in a single-quoted here-string.

    The string isn't expanded and ends at a line starting with '@, which JSON can't contain. The body is
    ASCII, so that no code page changes it.
    """
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
    """Quote for PowerShell, which treats curly quotation marks like straight ones."""
    doubled = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text)
    return f"'{doubled}'"


SNIPPET_BUILDERS = (rest, curl, powershell, python_genai, python_vertexai)
