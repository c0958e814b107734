"""The base models that a project may choose from: the catalogue's, and what its engine has beside them."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.core.cache import cache

from studio.models import Project
from studio.vertex import catalog
from studio.vertex.catalog import BaseModel
from studio.vertex.errors import VertexError

CACHE_SECONDS = 30
"""Seconds; a wizard asks at every change of a field."""


def list_base_models(project: Project) -> tuple[BaseModel, ...]:
    """Best first. Without an answer of the engine, what the catalogue knows."""
    known = catalog.models(project.backend)
    if not project.on_engine:
        return tuple(map(apply_price, known))
    ids = {model.id for model in known}
    more = (catalog.describe_added_model(id) for id in fetch_engine_model_ids(project) if id not in ids)
    return (*known[:1], *more, *known[1:])


def apply_price(model: BaseModel) -> BaseModel:
    """With the operator's price, where there is one."""
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
        ids = tuple(str(model.get("name") or "").rpartition("/")[2] for model in found)
        cache.set(key, ids, CACHE_SECONDS)
    return ids
