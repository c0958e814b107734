"""A form's file on its way to the disk: one larger than a dataset may be is not written there."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler

ROOM = 64 * 1024
"""For the form's other fields."""


def exceeds_limit(content_length: int) -> bool:
    return content_length > settings.DATASET_MAX_BYTES + ROOM


class UploadHandler(TemporaryFileUploadHandler):
    """Without the file the form says what is wrong, in the view's words."""

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
