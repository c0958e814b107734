"""publishers.models: the base models that can be tuned here, in the form of Model Garden's list.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list
"""

from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.base_models.registry import LocalBaseModel, list_base_models
from engine.protojson import message_reader
from engine.protojson.pagination import build_list_response


def list_models(request: HttpRequest) -> HttpResponse:
    """The Gemini names that a base only stands in for are not listed: nobody finds Gemini here."""
    return message_reader.json_response(
        build_list_response(
            request, "publisherModels", [publisher_model_resource(base) for base in list_base_models()]
        )
    )


def publisher_model_resource(base: LocalBaseModel) -> dict[str, Any]:
    return {
        "name": f"publishers/google/models/{base.id}",
        "versionId": base.sha256[:8],
        "launchStage": "GA",
    }
