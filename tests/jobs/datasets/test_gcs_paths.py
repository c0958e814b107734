"""Places on Cloud Storage as texts: what is typed, where it leads, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.datasets.gcs_paths import File, Folder, crumbs, inside, is_place, parent, shelf, typed
from studio.vertex.errors import BadName
from studio.vertex.storage import Listing, ObjectInfo


def info(uri: str) -> ObjectInfo:
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
def test_what_is_typed_becomes_a_place(text: str, place: str) -> None:
    assert typed(text) == place
    assert not place or is_place(place)


@pytest.mark.parametrize(
    "text",
    ["b", "gs://", "../x", "gs://bucket/../", "gs://bucket/a/%2e%2e/", "http://bucket/", "Bucket", "a\x00b"],
)
def test_what_is_no_place(text: str) -> None:
    assert not is_place(f"{text}/")
    if text != "gs://":
        with pytest.raises(BadName):
            typed(text)


def test_a_new_folder_is_inside_and_nowhere_else() -> None:
    assert inside("gs://bucket/a/", " /new/deep/ ") == "gs://bucket/a/new/deep/"
    assert inside("gs://bucket/", "") == "gs://bucket/"
    for folder in ("..", "../b", "a/../../b", "%2e%2e", "a\\b", "a\nb"):
        with pytest.raises(BadName):
            inside("gs://bucket/a/", folder)


def test_the_way_down_to_a_place() -> None:
    assert crumbs("") == []
    steps = ["gs://bucket/", "gs://bucket/a/", "gs://bucket/a/b c/"]
    assert crumbs("gs://bucket/a/b c/") == [
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
def test_the_folder_of_a_file(uri: str, folder: str) -> None:
    assert parent(uri) == folder


def test_a_shelf_names_what_lies_there_and_leaves_out_what_leads_astray() -> None:
    """The console makes a folder as an empty object; names like `a//` cannot be walked through."""
    listing = Listing(
        (info("gs://bucket/a/"), info("gs://bucket/a/x.jsonl"), info("gs://bucket/a/y.csv")),
        ("a/..//", "a/../", "a/deep/"),
        "more",
    )
    found = shelf("gs://bucket/a/", listing)
    assert found.folders == (Folder("deep", "gs://bucket/a/deep/"),)
    assert [(file.name, file.fits) for file in found.files] == [("x.jsonl", True), ("y.csv", False)]
    assert found.next_page == "more" and not found.is_empty
    assert isinstance(found.files[0], File)
