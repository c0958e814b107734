"""Names of uploaded files: which are accepted, which are corrected, and what to do about others (pure)."""

from __future__ import annotations

import re

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ACCEPTED_SUFFIXES = (".jsonl", ".ndjson", ".json")
TXT_SUFFIXES = tuple(f"{suffix}.txt" for suffix in ACCEPTED_SUFFIXES)
"""What an editor or a mail program makes of these suffixes."""
MAX_STEM = 80
"""Characters of a file's name that are used: still readable, and far from a path's limits."""
PACKED = (".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z")
TABLES = (".csv", ".tsv", ".xls", ".xlsx", ".parquet")
UNPACK = _("%(name)s is a compressed file. Extract it, then choose the .jsonl file.")
EXPORT = _(
    "%(name)s is a table. Export it as JSONL, with one conversation per line, in a file ending in .jsonl."
)
OTHER = _("Choose a file ending in .jsonl, not %(name)s.")


def explain_refusal(filename: str) -> str:
    """Explain why a file of this name isn't accepted, and what to do; blank if it is."""
    name = filename.lower()
    if name.endswith(ACCEPTED_SUFFIXES + TXT_SUFFIXES):
        return ""
    words: str | Promise = UNPACK if name.endswith(PACKED) else EXPORT if name.endswith(TABLES) else OTHER
    return str(words) % {"name": filename}


def has_txt_suffix(filename: str) -> bool:
    """Whether it ends in .jsonl.txt or the like: then .txt is dropped."""
    return filename.lower().endswith(TXT_SUFFIXES)


def sanitize_filename(filename: str) -> str:
    """Return a safe name in which the person still recognizes the file. It ends in .jsonl."""
    bare = filename[: -len(".txt")] if has_txt_suffix(filename) else filename
    suffix = next((each for each in ACCEPTED_SUFFIXES if bare.lower().endswith(each)), "")
    stem = re.sub(r"[^\w.-]+", "-", bare[: len(bare) - len(suffix)]).strip(".-")
    return f"{stem[:MAX_STEM] or 'dataset'}.jsonl"
