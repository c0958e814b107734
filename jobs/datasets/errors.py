"""What goes wrong when a dataset is added, as a sentence for the person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import get_sample
from studio import disk_space
from studio.pages.error_messages import explain_error
from studio.vertex.errors import NotFound, VertexError
from studio.vertex.gs_folders import is_folder_uri
from studio.vertex.storage import OutsidePlaces

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from studio.models import Project

TOO_BIG = gettext_lazy("The file is larger than 1 GB. Remove some examples, or split it.")
DISK_FULL = gettext_lazy(
    "The server doesn’t have room for this file. Ask an installation admin to free up space."
)
ENGINE_IS_FULL = "disk of this server is full"
"""In the engine's own message."""
NO_BUCKET_WRITE_LOCATION = gettext_lazy(
    "This project has no bucket for uploads. Enter a dataset location, or ask a project "
    "admin to set a bucket in Settings."
)
NO_BUCKET_ASK_ADMIN = gettext_lazy(
    "This project has no bucket for uploads. A project admin can set one in Settings."
)
"""For pages without a field for the location."""


class Refusal(Exception):
    """A dataset that was not added. Its text is a sentence for the person; `field` is the form field in
    question, or blank, and `status` that of the response."""

    def __init__(
        self, words: str, field: str = "", status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY
    ) -> None:
        super().__init__(words)
        self.field = field
        self.status = status

    @classmethod
    def for_full_disk(cls) -> Refusal:
        return cls(str(DISK_FULL), "file", HTTPStatus.INSUFFICIENT_STORAGE)


@contextmanager
def translate_storage_errors(
    project: Project, no_bucket: str | Promise = NO_BUCKET_WRITE_LOCATION
) -> Iterator[None]:
    """Turn what goes wrong between here and Cloud Storage into a Refusal, and a full disk as well: files are
    written here before they are stored. `no_bucket` is the text where the project has no bucket."""
    try:
        yield
    except ingest.TooBig:
        raise Refusal(str(TOO_BIG), "file") from None
    except ingest.NoBucket:
        raise Refusal(str(no_bucket), "upload_to") from None
    except OutsidePlaces as error:
        field = "upload_to" if is_folder_uri(error.uri) else "uri"
        raise Refusal(str(explain_error(error)), field) from None
    except NotFound:
        raise Refusal(_("File not found. Check the path, or upload the file."), "uri") from None
    except VertexError as error:
        if project.on_engine and ENGINE_IS_FULL in error.message:
            raise Refusal.for_full_disk() from None
        raise Refusal(str(explain_error(error, on_engine=project.on_engine))) from None
    except (OSError, DatabaseError) as error:
        if not disk_space.is_out_of_space(error):
            raise
        disk_space.record_failed_write()
        raise Refusal.for_full_disk() from None


def ingest_sample_parts(project: Project, user: User, name: str) -> tuple[Dataset, Dataset]:
    """Return the training and the validation part of the sample data `name` as datasets. Raises Refusal."""
    data = get_sample(name)
    if data is None:
        raise Refusal(_("There’s no sample data with that name."))
    with translate_storage_errors(project, NO_BUCKET_ASK_ADMIN):
        training = ingest.ingest_sample(project, user, data, "train")
        return training, ingest.ingest_sample(project, user, data, "validation")
