"""Places on Cloud Storage as texts: what is typed, where it leads, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.datasets.gcs_paths import (
    File,
    Folder,
    build_breadcrumbs,
    build_listing,
    get_parent_folder,
    join_folder,
)
from studio.vertex.errors import BadName
from studio.vertex.gs_folders import is_folder_uri, parse_folder_uri
from studio.vertex.object_info import Listing, ObjectInfo


def make_info(uri: str) -> ObjectInfo:
    return ObjectInfo(uri, 5, 1, "", "", datetime(2026, 11, 27, tzinfo=UTC), "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ""),
        ("  gs://  ", ""),
        ("bucket", "gs://bucket/"),
        (" gs://bucket ", "gs://bucket/"),
        ("bucket/a b/日本", "gs://bucket/a b/日本/"),
        ("gs://bucket/a/", "gs://bucket/a/"),
    ],
)
def test_typed_text_becomes_a_folder_uri(text: str, place: str) -> None:
    assert parse_folder_uri(text) == place
    assert not place or is_folder_uri(place)


@pytest.mark.parametrize(
    "text",
    ["b", "gs://", "../x", "gs://bucket/../", "gs://bucket/a/%2e%2e/", "http://bucket/", "Bucket", "a\x00b"],
)
def test_invalid_folder_uris_are_rejected(text: str) -> None:
    assert not is_folder_uri(f"{text}/")
    if text != "gs://":
        with pytest.raises(BadName):
            parse_folder_uri(text)


def test_new_folder_stays_inside_its_parent() -> None:
    assert join_folder("gs://bucket/a/", " /new/deep/ ") == "gs://bucket/a/new/deep/"
    assert join_folder("gs://bucket/", "") == "gs://bucket/"
    for folder in ("..", "../b", "a/../../b", "%2e%2e", "a\\b", "a\nb"):
        with pytest.raises(BadName):
            join_folder("gs://bucket/a/", folder)


def test_breadcrumbs_lead_to_the_folder() -> None:
    assert build_breadcrumbs("") == []
    steps = ["gs://bucket/", "gs://bucket/a/", "gs://bucket/a/b c/"]
    assert build_breadcrumbs("gs://bucket/a/b c/") == [
        Folder(name, uri) for name, uri in zip(["bucket", "a", "b c"], steps, strict=True)
    ]


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("gs://bucket/a/b.jsonl", "gs://bucket/a/"),
        ("gs://bucket/b.jsonl", "gs://bucket/"),
        ("x", ""),
        ("", ""),
    ],
)
def test_parent_folder_of_a_file(uri: str, folder: str) -> None:
    assert get_parent_folder(uri) == folder


def test_listing_has_files_and_folders_but_no_invalid_names() -> None:
    """The console makes a folder as an empty object; names like `a//` cannot be walked through."""
    listing = Listing(
        (make_info("gs://bucket/a/"), make_info("gs://bucket/a/x.jsonl"), make_info("gs://bucket/a/y.csv")),
        ("a/..//", "a/../", "a/deep/"),
        "more",
    )
    found = build_listing("gs://bucket/a/", listing)
    assert found.folders == (Folder("deep", "gs://bucket/a/deep/"),)
    assert [(file.name, file.is_selectable) for file in found.files] == [("x.jsonl", True), ("y.csv", False)]
    assert found.next_page == "more" and not found.is_empty
    assert isinstance(found.files[0], File)
