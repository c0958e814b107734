"""The base models available in a project: those of the catalog and further ones of its engine."""

from __future__ import annotations

import re
from dataclasses import replace

from django.conf import settings
from django.core.cache import cache

from studio.models import Project
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel
from studio.vertex.errors import VertexError

MODEL_ID = re.compile(r"[A-Za-z0-9_.@-]{1,100}")
"""Ids that a draft can hold and a resource name can end in; others can't be chosen."""
CACHE_SECONDS = 30
"""How long a list of models is cached: the wizard needs it at every field change, and new bases are rare."""


def list_base_models(project: Project) -> tuple[BaseModel, ...]:
    """Return the models, best first. If the engine doesn't respond, only those of the catalog."""
    known = catalog.models(project.backend)
    if not project.on_engine:
        return tuple(map(apply_price, known))
    ids = {model.id for model in known}
    more = (catalog.describe_added_model(id) for id in fetch_engine_model_ids(project) if id not in ids)
    return (*known[:1], *more, *known[1:])


def apply_price(model: BaseModel) -> BaseModel:
    """Return the model with the operator's price if one is set (VERTEX_PRICES)."""
    price = settings.PRICES.by_model.get(model.id)
    return model if price is None else replace(model, price=price, price_as_of=settings.PRICES.as_of)


def fetch_engine_model_ids(project: Project) -> tuple[str, ...]:
    key = f"bases:{project.place().engine_url}"
    ids: tuple[str, ...] | None = cache.get(key)
    if ids is None:
        try:
            found = list(project.vertex().publisher_models(project.location))
        except VertexError:
            found = []
        named = (str(model.get("name") or "").rpartition("/")[2] for model in found)
        ids = tuple(dict.fromkeys(filter(MODEL_ID.fullmatch, named)))
        cache.set(key, ids, CACHE_SECONDS)
    return ids
