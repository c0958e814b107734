"""Why a dataset was not taken, in the person's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import get_sample
from studio.pages.error_messages import explain_error
from studio.vertex.errors import NotFound, VertexError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from studio.models import Project

T = TypeVar("T")
NO_BUCKET_WRITE_LOCATION = gettext_lazy(
    "This project has no bucket for uploads. Enter a dataset location, or ask a project "
    "admin to set a bucket in Settings."
)
NO_BUCKET_ASK_ADMIN = gettext_lazy(
    "This project has no bucket for uploads. A project admin can set one in Settings."
)
"""Where no location can be written."""


class Refusal(Exception):
    """Its text is a sentence for the person; `field` is where it stands in the form, where that is known."""

    def __init__(self, words: str, field: str = "") -> None:
        super().__init__(words)
        self.field = field


def translate_storage_errors(
    project: Project, take: Callable[[], T], no_bucket: str | Promise = NO_BUCKET_WRITE_LOCATION
) -> T:
    """What `take` brings; raises Refusal where something goes wrong on the way to or from the store."""
    try:
        return take()
    except ingest.TooBig:
        raise Refusal(_("The file is larger than 1 GB. Remove some examples, or split it."), "file") from None
    except ingest.NoBucket:
        raise Refusal(str(no_bucket), "upload_to") from None
    except NotFound:
        raise Refusal(_("File not found. Check the path, or upload the file."), "uri") from None
    except VertexError as error:
        raise Refusal(str(explain_error(error, on_engine=project.on_engine))) from None


def ingest_sample_parts(project: Project, user: User, name: str) -> tuple[Dataset, Dataset]:
    """Training and validation part of the sample data `name`, in the library afterwards; raises Refusal."""
    data = get_sample(name)
    if data is None:
        raise Refusal(_("There’s no sample data with that name."))
    return (
        translate_storage_errors(
            project, lambda: ingest.ingest_sample(project, user, data, "train"), NO_BUCKET_ASK_ADMIN
        ),
        translate_storage_errors(
            project, lambda: ingest.ingest_sample(project, user, data, "validation"), NO_BUCKET_ASK_ADMIN
        ),
    )
