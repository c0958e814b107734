"""Folders in Cloud Storage, by gs:// address: a bucket, or what names in it begin with, up to a slash."""

from __future__ import annotations

from studio.vertex.errors import BadName
from studio.vertex.storage import parse_gs_uri

SCHEME = "gs://"


def split_folder_uri(folder: str) -> tuple[str, str]:
    """Return bucket and prefix of a folder. Raises BadName."""
    if not folder.endswith("/"):
        raise BadName("A folder's address ends in a slash.")
    bucket, name = parse_gs_uri(f"{folder}x")
    return bucket, name[:-1]


def is_folder_uri(text: str) -> bool:
    try:
        split_folder_uri(text)
    except BadName:
        return False
    return True


def parse_folder_uri(text: str) -> str:
    """Return the folder that a person typed: the scheme and the last slash may be missing, and spaces around
    it are ignored. Raises BadName."""
    bare = text.strip()
    if not bare or bare == SCHEME:
        return ""
    with_scheme = bare if "://" in bare else f"{SCHEME}{bare}"
    folder = with_scheme if with_scheme.endswith("/") else f"{with_scheme}/"
    split_folder_uri(folder)
    return folder
