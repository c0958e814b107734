"""Write a form's file to disk, unless it is larger than a dataset may be."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler

ROOM = 64 * 1024
"""Bytes of a request beside the file: the form's other fields and the headers of its parts take far less."""


def exceeds_limit(content_length: int) -> bool:
    return content_length > settings.DATASET_MAX_BYTES + ROOM


class UploadHandler(TemporaryFileUploadHandler):
    """Skips a file that is too large; the view then says so (forms.clean_upload)."""

    left_out = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 - Django's name
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        self.left_out = exceeds_limit(content_length)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.left_out:
            raise SkipFile
        super().new_file(*args, **kwargs)
