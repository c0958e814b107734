"""What somebody pastes -> the fields of a draft (pure). Nothing of it is run.

A curl command, PowerShell, an HTTP request, the JSON of a request, or a whole job.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _

from jobs.request_import.curl import ExtractedRequest, extract_curl_request, from_powershell
from jobs.request_import.draft_fields import ImportedRequest, parse_body, shorten_value
from jobs.request_import.tokens import Unreadable

__all__ = ["ImportedRequest", "Unreadable", "parse_request"]

HTTP = re.compile(r"(?:[A-Z]+[ \t]+)?(https?://\S+)[ \t]*(?:HTTP/\S+)?[ \t]*(?:\n|$)")
WEB_REQUEST = re.compile(r"\b(?:invoke-webrequest|invoke-restmethod|iwr|irm)\b", re.IGNORECASE)
CURL = re.compile(r"\bcurl(?:\.exe)?\b", re.IGNORECASE)
FENCE = re.compile(r"```[^\n]*\n(.*?)\n?```", re.DOTALL)
METHOD_PATH = re.compile(r"/v1(?:beta1)?/projects/([^/]+)/locations/([^/]+)/tuningJobs/?")
TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\[\s\S]?)*(?:"|\Z))|,(?=\s*[}\]])')
EXCERPT_LENGTH = 24


def parse_request(text: str) -> ImportedRequest:
    """Raises Unreadable with words that say what to do."""
    text = re.sub("\r\n?", "\n", text).strip("\ufeff \t\n\u00a0")
    if fenced := FENCE.fullmatch(text):
        text = fenced[1].strip()
    if not text:
        raise Unreadable(_("Paste a curl command, a PowerShell command or the JSON of a job."))
    sent = extract_request(text)
    pasted = parse_body(unwrap_job_list(parse_json_object(sent.body)))
    if sent.url:
        apply_url(pasted, sent.url)
    if sent.expands:
        pasted.messages.append(
            _("%(names)s would be filled in by the shell. The text is kept here as written.")
            % {"names": ", ".join(dict.fromkeys(sent.expands))}
        )
    return pasted


def extract_request(text: str) -> ExtractedRequest:
    if text.startswith(("{", "[")):
        return ExtractedRequest(text)
    if http := HTTP.match(text):
        return ExtractedRequest(
            text[text.index("{", http.end()) :] if "{" in text[http.end() :] else "", http[1]
        )
    # The words may stand in the values, too: the first one is the command's.
    curl, web_request = CURL.search(text), WEB_REQUEST.search(text)
    if curl and not (web_request and is_powershell(text)):
        return extract_curl_request(text)
    if web_request:
        return from_powershell(text)
    raise Unreadable(
        _(
            "Expected a curl command, a PowerShell command or JSON. Paste a command that starts with "
            "curl or Invoke-WebRequest, or a body that starts with {."
        )
    )


def is_powershell(text: str) -> bool:
    """Whether the command itself is PowerShell's, not a word inside of what it sends."""
    return bool(
        re.search(
            r"^[ \t]*(?:\$\w+[ \t]*=.*|.*\|[ \t]*)?(?:invoke-|iwr\b|irm\b)",
            text,
            re.IGNORECASE | re.MULTILINE,
        )
    )


def parse_json_object(text: str) -> dict[str, Any]:
    """JSON as the reference page writes it: a comma before a closing bracket is forgiven."""
    if not text.strip():
        raise Unreadable(_("This text has no request body. Paste the whole request, including its JSON."))
    try:
        value = load_json(text)
    except json.JSONDecodeError:
        value = load_json_or_explain(TRAILING_COMMA.sub(lambda found: found[1] or " ", text))
    except (RecursionError, ValueError):
        raise Unreadable(
            _("This JSON can’t be read: it’s nested too deeply or contains a number that’s too long.")
        ) from None
    if not isinstance(value, dict):
        raise Unreadable(_("The body isn’t a JSON object. Paste everything from { to }."))
    return value


def load_json(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: name)


def load_json_or_explain(text: str) -> Any:
    try:
        return load_json(text)
    except json.JSONDecodeError as error:
        near = text[error.pos : error.pos + EXCERPT_LENGTH].partition("\n")[0]
        place = {"line": error.lineno, "column": error.colno, "near": near}
        if not near:
            raise Unreadable(
                _(
                    "The JSON ends early at line %(line)d, column %(column)d. Paste it through its last "
                    "bracket."
                )
                % place
            ) from None
        raise Unreadable(
            _("Invalid JSON at line %(line)d, column %(column)d, near “%(near)s”. Fix it there.") % place
        ) from None
    except (RecursionError, ValueError):
        raise Unreadable(
            _("This JSON can’t be read: it’s nested too deeply or contains a number that’s too long.")
        ) from None


def unwrap_job_list(value: dict[str, Any]) -> dict[str, Any]:
    """The one job of a list's answer, or the value itself."""
    listed = value.get("tuningJobs")
    if not isinstance(listed, list):
        return value
    if len(listed) == 1 and isinstance(listed[0], dict):
        return listed[0]
    raise Unreadable(_("This is a list of %(count)d jobs. Paste only one of them.") % {"count": len(listed)})


def apply_url(pasted: ImportedRequest, url: str) -> None:
    """Where the request would have gone: its region counts, its project is only told."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        path = ""
    found = METHOD_PATH.fullmatch(path)
    if not found:
        pasted.messages.append(_("The URL isn’t that of tuningJobs.create, so only the body was used."))
        return
    pasted.project_id = shorten_value(found[1])
    pasted.set_location(found[2])
