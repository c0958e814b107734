"""Why a dataset was not taken, in the person's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from django.utils.translation import gettext as _

from jobs.datasets import intake
from studio.vertex.errors import NotFound, VertexError
from studio.words import explain

if TYPE_CHECKING:
    from studio.models import Project

T = TypeVar("T")


class Refusal(Exception):
    """Its text is a sentence for the person; `field` is where it stands in the form, where that is known."""

    def __init__(self, words: str, field: str = "") -> None:
        super().__init__(words)
        self.field = field


def taken(project: Project, take: Callable[[], T]) -> T:
    """What `take` brings; raises Refusal where something goes wrong on the way to or from the store."""
    try:
        return take()
    except intake.TooBig:
        raise Refusal(_("The file is larger than 1 GB. Leave out examples, or split it."), "file") from None
    except intake.NoBucket:
        raise Refusal(
            _(
                "This project has no bucket for uploads. Write a dataset location, "
                "or ask an admin to name a bucket in Settings."
            ),
            "upload_to",
        ) from None
    except NotFound:
        raise Refusal(_("There is no such file. Check the path, or upload the file."), "uri") from None
    except VertexError as error:
        raise Refusal(str(explain(error, on_engine=project.on_engine))) from None
