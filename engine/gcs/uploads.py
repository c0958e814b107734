"""Uploads: one multipart body, or a resumable session of several requests.

https://cloud.google.com/storage/docs/uploads-downloads. Nothing here holds a whole file in memory.
"""

import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO

from engine.gcs.object_store import (
    BLOCK,
    ObjectStore,
    StoredObject,
    UploadMetadata,
    check_bucket,
    check_generation,
    check_name,
)
from engine.protojson import lenient_json
from engine.protojson.errors import ApiError, invalid_argument, not_found
from engine.protojson.numbers import shorten
from engine.protojson.request_body import ByteStream
from engine.queue.atomic_files import read_json, write_json
from engine.queue.disk_space import is_out_of_space

SESSION_LIFETIME = 7 * 86400  # seconds: a week, as in Cloud Storage
_RANGE = re.compile(r"bytes (?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)")


def save_stream(stream: ByteStream, path: Path, position: int = 0) -> None:
    """Write the rest of the stream to the file, from `position` on."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(position)
        while block := stream.read(BLOCK):
            file.write(block)


def save_multipart(stream: ByteStream, content_type: str, path: Path) -> dict[str, Any]:
    """Write the second part into the file; answer the first, which is the object's metadata.

    `contentType` is taken from the second part where the metadata has none.
    """
    boundary = _header_parameter(content_type, "boundary")
    if not boundary:
        raise invalid_argument("A multipart upload needs a Content-Type with a boundary.")
    parts = _MultipartReader(stream, boundary)
    parts.read_headers()
    metadata = lenient_json.parse_json(parts.read_text() or "{}")
    if not isinstance(metadata, dict):
        raise invalid_argument("The first part of a multipart upload must be a JSON object.")
    media_type = parts.read_headers().get("Content-Type")
    with path.open("wb") as file:
        parts.write_content(file)
    return {"contentType": media_type, **metadata} if media_type else metadata


def _header_parameter(content_type: str, name: str) -> str:
    header = Message()
    header["Content-Type"] = content_type
    try:
        return str(header.get_param(name, ""))
    except (LookupError, TypeError, ValueError):  # what Python's parser raises for odd parameters
        return ""


class _MultipartReader:
    """The parts of a multipart body, from front to back."""

    MOST_TEXT = 2**20

    def __init__(self, stream: ByteStream, boundary: str) -> None:
        self.stream = stream
        self.delimiter = b"\r\n--" + boundary.encode()
        # The first delimiter has no line break before it.
        self.buffer = b"\r\n"
        self.read_text()

    def read_headers(self) -> Message:
        """The headers of the part that follows the delimiter just passed."""
        lines = b"".join(self.read_until(b"\r\n\r\n", self.MOST_TEXT)).decode("utf-8", "replace")
        message = Message()
        for line in lines.strip().splitlines():
            name, _, value = line.partition(":")
            message[name.strip()] = value.strip()
        return message

    def read_text(self) -> str:
        return b"".join(self.read_until(self.delimiter, self.MOST_TEXT)).decode("utf-8", "replace")

    def write_content(self, file: BinaryIO) -> None:
        for block in self.read_until(self.delimiter):
            file.write(block)
        if not (self.buffer + self.stream.read(2)).startswith(b"--"):
            raise invalid_argument("A multipart upload has two parts: metadata, then content.")

    def read_until(self, marker: bytes, most: int | None = None) -> Iterator[bytes]:
        """The bytes before the marker; the marker is passed over."""
        seen = 0
        while (found := self.buffer.find(marker)) < 0:
            block = self.stream.read(BLOCK)
            if not block or (most and seen > most):
                raise invalid_argument("Malformed multipart body.")
            ready = max(len(self.buffer) - len(marker) + 1, 0)
            yield self.buffer[:ready]
            seen += ready
            self.buffer = self.buffer[ready:] + block
        yield self.buffer[:found]
        self.buffer = self.buffer[found + len(marker) :]


@dataclass(frozen=True, slots=True)
class ContentRange:
    """`bytes 0-99/200`; `start` is None in a question for the status, `total` while it is unknown.

    `whole` is a body without the header: all of the object, however long it turns out to be.
    """

    start: int | None
    total: int | None
    whole: bool = False

    @classmethod
    def parse(cls, text: str, content_length: str) -> "ContentRange":
        if not text:
            return cls(0, int(content_length) if content_length else None, whole=not content_length)
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise invalid_argument(f"Failed to parse Content-Range header: {shorten(text)}.")
        start, _, total = match.groups()
        return cls(int(start) if start else None, None if total == "*" else int(total))


class UploadSession:
    """A resumable upload, in a folder of its own, so that it outlives a restart.

    Its id is a secret: who has it may write.
    """

    _finishing = threading.Lock()

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self.store = store
        self.folder = folder

    @classmethod
    def begin(cls, store: ObjectStore, upload: UploadMetadata) -> "UploadSession":
        check_bucket(upload.bucket), check_name(upload.name)
        check_generation(store.find(upload.bucket, upload.name), upload.if_generation_match)
        _delete_expired(store)
        session = cls(store, _sessions_folder(store) / uuid.uuid4().hex)
        session.folder.mkdir(parents=True)
        (session.folder / "data").touch()
        write_json(session.folder / "session.json", {"upload": asdict(upload)})
        return session

    @classmethod
    def find(cls, store: ObjectStore, upload_id: str) -> "UploadSession":
        if not re.fullmatch(r"[0-9a-f]{32}", upload_id) or not (_sessions_folder(store) / upload_id).is_dir():
            raise not_found("No such upload session. It may have ended. Start a new upload.")
        return cls(store, _sessions_folder(store) / upload_id)

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def received_bytes(self) -> int:
        return self.data.stat().st_size

    def find_finished_object(self) -> StoredObject | None:
        made = read_json(self.folder / "session.json").get("object")
        return StoredObject(**made) if made else None

    def append_chunk(self, stream: ByteStream, span: ContentRange) -> StoredObject | None:
        """Store a chunk; return the object once it is complete. The client has to fill a gap.

        On a full disk the session ends, since what has arrived would only keep it full.
        """
        try:
            return self._append_chunk(stream, span)
        except OSError as error:
            if is_out_of_space(error):
                self.discard()
            raise

    def _append_chunk(self, stream: ByteStream, span: ContentRange) -> StoredObject | None:
        done = self.find_finished_object()
        if done:
            return done
        if span.start is not None and span.start <= self.received_bytes:
            save_stream(stream, self.data, span.start)
        if span.total is not None and self.received_bytes > span.total:
            raise invalid_argument(
                f"The upload has {self.received_bytes} bytes, but its declared total is {span.total}."
            )
        return self._store_object() if span.whole or span.total == self.received_bytes else None

    def _store_object(self) -> StoredObject:
        """Two requests may send the last bytes at once: the second gets the object that the first made."""
        with self._finishing:
            done = self.find_finished_object()
            if done:
                return done
            session = read_json(self.folder / "session.json")
            made = self.store.put(self.data, UploadMetadata(**session["upload"]))
            write_json(self.folder / "session.json", {**session, "object": asdict(made)})
            return made

    def discard(self) -> None:
        """Delete what has arrived; later requests find no session."""
        rmtree(self.folder, ignore_errors=True)

    def cancel(self) -> ApiError:
        rmtree(self.folder)
        return ApiError("CANCELLED", "The upload was cancelled.")


def _sessions_folder(store: ObjectStore) -> Path:
    return store.folder / "=uploads"


def _delete_expired(store: ObjectStore) -> None:
    oldest = time.time() - SESSION_LIFETIME
    for folder in _sessions_folder(store).glob("*"):
        if folder.stat().st_mtime < oldest:
            rmtree(folder, ignore_errors=True)
