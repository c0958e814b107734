"""Buckets, folders and files of Cloud Storage, as a person browses them.

A place is a text: blank (the list of buckets, or of the project's places), `gs://bucket/`, or
`gs://bucket/folder/`. Every place is validated by parse_gs_uri, so that none reaches another path, host or
bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from studio.projects.places import Places
from studio.vertex.gs_folders import SCHEME, is_folder_uri, split_folder_uri
from studio.vertex.object_info import Listing, ObjectInfo
from studio.vertex.storage import Storage

PER_PAGE = 100
"""Entries on a page of a folder: one request, and short enough to look through."""
DATASET_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Folder:
    """`uri` ends in a slash; a bucket is a folder, too. `shared` marks a place shared with the project."""

    name: str
    uri: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file of any kind; only .jsonl files can be chosen as a dataset."""

    name: str
    uri: str
    size: int
    updated: datetime | None

    @property
    def is_selectable(self) -> bool:
        return self.name.endswith(DATASET_SUFFIX)


@dataclass(frozen=True, slots=True)
class FolderListing:
    """One page of the entries of a place; `next_page` is blank on the last page. `left_out` counts the
    entries that can't be read."""

    place: str
    folders: tuple[Folder, ...] = ()
    files: tuple[File, ...] = ()
    next_page: str = ""
    left_out: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.folders or self.files)


def list_places(places: Places) -> FolderListing:
    """List the project's own folder and those shared with it, which requests nothing."""
    found = (Folder(uri.removeprefix(SCHEME).rstrip("/"), uri, uri != places.own) for uri in places.folders)
    return FolderListing("", tuple(found))


def list_folder(storage: Storage, place: str, page: str = "") -> FolderListing:
    """List one page of the entries of `place`. Raises VertexError."""
    if not place:
        return FolderListing("", tuple(Folder(name, f"{SCHEME}{name}/") for name in storage.buckets()))
    bucket, prefix = split_folder_uri(place)
    return build_listing(place, storage.list(bucket, prefix, limit=PER_PAGE, page=page))


def build_listing(place: str, listing: Listing) -> FolderListing:
    bucket, prefix = split_folder_uri(place)
    folders = (
        Folder(name.removeprefix(prefix).rstrip("/"), f"{SCHEME}{bucket}/{name}")
        for name in listing.prefixes
        if is_folder_uri(f"{SCHEME}{bucket}/{name}")
    )
    files = (build_file(info, place) for info in listing.objects if info.uri != place)
    return FolderListing(place, tuple(folders), tuple(files), listing.next_page, listing.left_out)


def build_file(info: ObjectInfo, place: str) -> File:
    return File(info.uri.removeprefix(place), info.uri, info.size, info.updated)


def join_folder(place: str, folder: str) -> str:
    """Return the place of a folder in `place`, which need not exist yet. Raises BadName."""
    name = folder.strip().strip("/")
    joined = f"{place}{name}/" if name else place
    split_folder_uri(joined)
    return joined


def get_parent_folder(uri: str) -> str:
    """Return the folder of a file's URI; blank if the text is no URI."""
    folder = uri[: uri.rfind("/") + 1]
    return folder if is_folder_uri(folder) else ""


def build_breadcrumbs(place: str) -> list[Folder]:
    """Return the folders from the bucket down to the place."""
    if not place:
        return []
    bucket, prefix = split_folder_uri(place)
    steps, at = [Folder(bucket, f"{SCHEME}{bucket}/")], f"{SCHEME}{bucket}/"
    for name in prefix.split("/")[:-1]:
        at += f"{name}/"
        steps.append(Folder(name, at))
    return steps
