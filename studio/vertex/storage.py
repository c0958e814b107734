"""Objects in Cloud Storage or in the engine's store, by gs:// address.

Uploads and downloads stream; a whole file is never in memory. Errors are those of errors.py. Pages of a
listing come from Google's library as they are, and are read in object_info.py.
https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

import requests
from google.api_core import exceptions as api_exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from studio.vertex.auth import TIMEOUT, Place, session, storage_url
from studio.vertex.errors import (
    AnswerTooLarge,
    BadName,
    NotFound,
    NotSent,
    OutcomeUnknown,
    VertexError,
    from_exception,
    from_response,
)
from studio.vertex.object_info import (
    UNREADABLE,
    Listing,
    ObjectInfo,
    parse_bucket_names,
    parse_listing,
    parse_object_info,
    parse_page_token,
)

# Otherwise the library requests every bucket's metadata in a thread, which needs another permission.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

BLOCK = 8 * 1024 * 1024
"""Bytes in memory at a time, in either direction."""
SINGLE_REQUEST = 8 * 1024 * 1024
"""Up to this size the library sends metadata and content in one POST."""
QUICK = DEFAULT_RETRY.with_timeout(4.0).with_delay(initial=0.25, maximum=1.0)
"""Retries while somebody may be waiting for a page."""
PATIENT = DEFAULT_RETRY.with_timeout(60.0).with_delay(initial=0.5, maximum=8.0)
"""Retries for the blocks of a file, most of which may have arrived already."""
GS_URI = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/(?P<name>.+)", re.DOTALL)
# https://cloud.google.com/storage/docs/objects#naming
NAME_BYTES = 1024
MAX_PAGES = 100
"""Pages of a list of buckets, a thousand each. A list that names a next page for ever ends here."""
log = logging.getLogger(__name__)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\\]")


class GsUri(NamedTuple):
    bucket: str
    name: str

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}"


class OutsidePlaces(NotSent):
    """The storage is bound to other places, so nothing was requested. The message is the address; that of a
    folder ends in a slash."""

    @property
    def uri(self) -> str:
        return self.message


def parse_gs_uri(uri: str) -> GsUri:
    """Return bucket and name of `gs://bucket/object`; raise BadName, a ValueError that says what is wrong.

    Names that could be taken for a path out of their folder are rejected, however they are encoded.
    """
    match = GS_URI.fullmatch(uri)
    if not match:
        raise BadName("Write the address as gs://bucket/object.")
    bucket, name = match["bucket"], match["name"]
    if ".." in bucket or max(map(len, bucket.split("."))) > 63:
        raise BadName("This is not the name of a bucket.")
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
        raise BadName(f"An object's name has at most {NAME_BYTES} bytes.")
    if any(_is_tricky(reading) for reading in _iter_decodings(name)):
        raise BadName("An object's name has no control characters, backslashes, or steps like ../.")
    return GsUri(bucket, name)


class Storage:
    """Objects in the buckets of `place`: all that its credentials reach. Every address passes `check_object`
    or `check_folder` first, by which a subclass is bound to some of them."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def check_object(self, uri: str, generation: int | None = None, *, new: bool = False) -> None:
        """Raise OutsidePlaces where the object is out of bounds. Without a generation any version is meant;
        `new` is an object that is about to be stored."""

    def check_folder(self, folder: str) -> None:
        """Raise OutsidePlaces where what begins with `folder` is out of bounds; `gs://` stands for all."""

    def buckets(self) -> tuple[str, ...]:
        """Return the names of all buckets; raise AnswerTooLarge after MAX_PAGES."""
        self.check_folder("gs://")
        names: list[str] = []
        with _translate_errors():
            found = self._client.list_buckets(timeout=TIMEOUT, retry=QUICK)
            for _page in range(MAX_PAGES):
                answer = found._get_next_page_response()
                names += parse_bucket_names(answer)
                found.next_page_token = parse_page_token(answer)
                if not found.next_page_token:
                    return tuple(names)
        raise AnswerTooLarge(f"The list of buckets has more than {MAX_PAGES} pages.")

    def list(
        self, bucket: str, prefix: str = "", delimiter: str | None = "/", limit: int = 1000, page: str = ""
    ) -> Listing:
        """Return objects and, with a delimiter, "folders" right under `prefix`, `limit` in all.

        This is one request, even if a page holds nothing but folders: the caller requests the next page.
        """
        self.check_folder(f"gs://{bucket}/{prefix}")
        with _translate_errors():
            found = self._client.list_blobs(
                bucket,
                prefix=prefix,
                delimiter=delimiter,
                page_size=limit,
                page_token=page or None,
                timeout=TIMEOUT,
                retry=QUICK,
            )
            return parse_listing(bucket, found._get_next_page_response())

    def stat(self, uri: str, generation: int | None = None) -> ObjectInfo:
        """Return an object's metadata; raise NotFound if there is no such object or generation."""
        with _translate_errors():
            blob = self._blob(uri, generation)
            blob.reload(timeout=TIMEOUT, retry=QUICK)
            info = parse_object_info(uri, blob._properties)
        self.check_object(uri, info.generation)
        return info

    def upload(
        self,
        file: BinaryIO,
        uri: str,
        content_type: str,
        *,
        overwrite: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectInfo:
        """Store `file` from its beginning; raise Conflict if the object exists already.

        `progress` is called with the bytes read so far. Above 8 MiB the upload is resumable and a lost part
        is sent again; below, it is one POST, which is not repeated.
        """
        size = file.seek(0, os.SEEK_END)
        source = _ProgressReader(file, progress) if progress else file
        with _translate_errors():
            blob = self._blob(uri, None, new=True)
            blob.chunk_size = BLOCK
            blob.upload_from_file(
                source,
                rewind=True,
                size=size,
                content_type=content_type,
                if_generation_match=None if overwrite else 0,
                timeout=TIMEOUT,
                retry=PATIENT if size > SINGLE_REQUEST else None,
            )
            return parse_object_info(uri, blob._properties)

    def open(self, uri: str, generation: int | None = None) -> BinaryIO:
        """Return the object as a binary file that is fetched block by block. Without a generation the current
        one is pinned, so that a replaced object is not read half old, half new."""
        info = self.stat(uri, generation)
        blob = self._blob(uri, info.generation)
        source = blob.open("rb", chunk_size=BLOCK, timeout=TIMEOUT, retry=PATIENT)
        return io.BufferedReader(_TranslatedReader(source, info.size), buffer_size=1024 * 1024)

    def delete(self, uri: str, generation: int | None = None) -> None:
        """Delete the object, if it exists. With a generation only that one is deleted: raises Conflict if the
        object was replaced in the meantime."""
        self.check_object(uri, generation)
        try:
            with _translate_errors():
                self._blob(uri, None).delete(if_generation_match=generation, timeout=TIMEOUT, retry=QUICK)
        except NotFound:
            return

    def _blob(self, uri: str, generation: int | None, *, new: bool = False) -> Any:
        bucket, name = parse_gs_uri(uri)
        self.check_object(uri, generation, new=new)
        return self._client.bucket(bucket).blob(name, generation=generation)

    @cached_property
    def _client(self) -> storage.Client:
        http = session(self.place)
        # Always name the endpoint: an emulator's address in the environment must not get credentials.
        return storage.Client(
            project=self.place.project_id,
            credentials=http.credentials,
            _http=http,
            client_options={"api_endpoint": storage_url(self.place)},
        )


class _ProgressReader:
    """A file that reports how far it was read."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(self._file.tell())
        return data

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


class _TranslatedReader(io.RawIOBase):
    """A remote file of `size` bytes that raises the errors of errors.py."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left)
        with _translate_errors():
            data = self._source.read(wanted) if wanted else b""
        if wanted and not data:
            raise OutcomeUnknown("The object ended before its size.")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate the exceptions of Google's library to those of errors.py. The originals are left out of the
    traceback, since they contain upload addresses, which are secrets."""
    try:
        yield
    except VertexError:
        raise
    except api_exceptions.RetryError as error:
        raise _to_vertex_error(error.cause) from None
    except (
        api_exceptions.GoogleAPICallError,
        InvalidResponse,
        DataCorruption,
        requests.RequestException,
        auth_exceptions.GoogleAuthError,
    ) as error:
        raise _to_vertex_error(error) from None
    except UNREADABLE as error:
        log.warning("The store gave an answer that can't be read (%s)", type(error).__name__)
        raise OutcomeUnknown("The store's answer can't be read.") from None


def _to_vertex_error(error: BaseException | None) -> VertexError:
    if isinstance(error, DataCorruption):
        return OutcomeUnknown("The stored object differs from what was sent: its checksum is another.")
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return from_response(response, _read_content(response))
    return from_exception(error) if isinstance(error, Exception) else OutcomeUnknown("No answer.")


def _read_content(response: requests.Response) -> bytes:
    """Return an error's body, or nothing if it can't be read: the status alone says that it is an error."""
    try:
        return response.content
    except (VertexError, requests.RequestException, RuntimeError):
        return b""


def _iter_decodings(name: str) -> Iterator[str]:
    """Yield the name, and the name percent-decoded once, twice and three times."""
    for _ in range(4):
        yield name
        name = unquote(name)


def _is_tricky(name: str) -> bool:
    steps = {".", ".."} & set(name.split("/"))
    return bool(steps or name.startswith("/") or UNPRINTABLE.search(name) or not _is_utf8(name))


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
