"""Write a form's file to disk, unless it is larger than a dataset may be, or than the disk has room for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParserError

from studio import disk_space
from studio.pages.request_guard import is_utf8

ROOM = 64 * 1024
"""Bytes of a request beside the file: the form's other fields and the headers of its parts take far less."""


def exceeds_limit(content_length: int) -> bool:
    return content_length > settings.DATASET_MAX_BYTES + ROOM


def is_left_out_for_space(request: Any) -> bool:
    """Whether a file of this request was left out, since the disk is full."""
    return any(isinstance(handler, UploadHandler) and handler.is_full for handler in request.upload_handlers)


class UploadHandler(TemporaryFileUploadHandler):
    """Skips a file that is too large or finds no room; the view then says so (forms.clean_upload)."""

    left_out = False
    is_full = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 - Django's name
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        self.is_full = not disk_space.has_room_for(settings.FILE_UPLOAD_TEMP_DIR, content_length)
        self.left_out = self.is_full or exceeds_limit(content_length)

    def new_file(
        self,
        field_name: str,
        file_name: str,
        content_type: str,
        content_length: int | None,
        charset: Any = None,
        content_type_extra: Any = None,
    ) -> None:
        if charset and not is_utf8(bytes(charset).decode("ascii", "replace")):
            raise MultiPartParserError("A file's charset must be UTF-8.")
        if self.left_out:
            raise SkipFile
        with self._leave_out_if_full():
            super().new_file(field_name, file_name, content_type, content_length, charset, content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Other writers may fill the disk meanwhile; the rest of the request is then read and dropped."""
        with self._leave_out_if_full():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        """The last bytes reach the disk here."""
        if self.left_out:
            return None
        with suppress(SkipFile), self._leave_out_if_full():
            return super().file_complete(file_size)
        return None

    @contextmanager
    def _leave_out_if_full(self) -> Iterator[None]:
        """Delete the file and raise SkipFile if the disk is full."""
        try:
            yield
        except OSError as error:
            if not disk_space.is_out_of_space(error):
                raise
            disk_space.record_failed_write()
            self.left_out = self.is_full = True
            with suppress(OSError, AttributeError):  # it cannot write the rest, or was never opened
                self.file.close()
            raise SkipFile from None
