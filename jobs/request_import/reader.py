"""Reads a pasted request into the fields of a draft (pure). Nothing of it is executed.

A bash curl command, an HTTP request, the JSON of a request, or a whole job.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.request_import.curl import ExtractedRequest, extract_curl_request
from jobs.request_import.draft_fields import ImportedRequest, parse_body, shorten_value
from jobs.request_import.json_body import parse_json_object
from jobs.request_import.tokens import Unreadable
from studio.formats import join_list

__all__ = ["ImportedRequest", "Unreadable", "parse_request"]

HTTP = re.compile(r"(?:[A-Z]+[ \t]+)?(https?://\S+)[ \t]*(?:HTTP/\S+)?[ \t]*(?:\n|$)")
CURL = re.compile(r"\bcurl(?:\.exe)?\b", re.IGNORECASE)
FENCE = re.compile(r"```[^\n]*\n(.*?)\n?```", re.DOTALL)
METHOD_PATH = re.compile(r"/v1(?:beta1)?/projects/([^/]+)/locations/([^/]+)/tuningJobs/?")


def parse_request(text: str) -> ImportedRequest:
    """Return the fields in `text`. Raises Unreadable with a message that says what to do."""
    text = re.sub("\r\n?", "\n", text).strip("\ufeff \t\n\u00a0")
    if fenced := FENCE.fullmatch(text):
        text = fenced[1].strip()
    if not text:
        raise Unreadable(_("Paste a curl command or the JSON of a job."))
    request = extract_request(text)
    pasted = parse_body(unwrap_job_list(parse_json_object(request.body)))
    if request.url:
        apply_url(pasted, request)
    if request.unset:
        pasted.messages.append(describe_unset_variables(request.unset))
    return pasted


def extract_request(text: str) -> ExtractedRequest:
    if text.startswith(("{", "[")):
        return ExtractedRequest(text)
    if http := HTTP.match(text):
        brace = text.find("{", http.end())
        return ExtractedRequest(text[brace:] if brace >= 0 else "", http[1])
    if CURL.search(text):
        return extract_curl_request(text)
    raise Unreadable(
        _(
            "Expected a curl command or JSON. Paste a command that starts with curl, or a body that "
            "starts with {."
        )
    )


def unwrap_job_list(value: dict[str, Any]) -> dict[str, Any]:
    """The only job in the answer of tuningJobs.list; any other object as it is."""
    listed = value.get("tuningJobs")
    if not isinstance(listed, list):
        return value
    if len(listed) == 1 and isinstance(listed[0], dict):
        return listed[0]
    raise Unreadable(_("This is a list of %(count)d jobs. Paste only one of them.") % {"count": len(listed)})


def apply_url(pasted: ImportedRequest, request: ExtractedRequest) -> None:
    """Take the region from the URL. Its project is only compared: a draft stays in its own project."""
    try:
        path = unquote(urlsplit(request.url).path)
    except ValueError:
        path = ""
    found = METHOD_PATH.fullmatch(path)
    if not found:
        pasted.messages.append(_("The URL isn’t that of tuningJobs.create, so only the body was used."))
        return
    project_id, location = found.groups()
    if not contains_any(project_id, request.unset):
        pasted.project_id = shorten_value(project_id)
    if not contains_any(location, request.unset):
        pasted.set_location(location)


def contains_any(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def describe_unset_variables(unset: tuple[str, ...]) -> str:
    names = list(dict.fromkeys(map(shorten_value, unset)))
    return ngettext(
        "%(names)s isn’t set in the pasted text and stays as written.",
        "%(names)s aren’t set in the pasted text and stay as written.",
        len(names),
    ) % {"names": join_list(names)}
