"""Choices of step 1: base models, adapter sizes and checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from jobs import base_models
from jobs.wizard.model_step.pre_tuned_models import PreTunedModel
from studio.models import Project
from studio.vertex.catalog import BaseModel

Choices = list[tuple[str, Any]]


def include_unavailable(choices: Iterable[tuple[str, Any]], value: str) -> Choices:
    """Return `choices`, with `value` marked as not available if it isn't one of them."""
    listed = list(choices)
    flat = {
        key for name, group in listed for key, _word in (group if isinstance(group, list) else [(name, 0)])
    }
    if not value or value in flat:
        return listed
    return [*listed, (value, _("%(value)s (not available)") % {"value": value})]


def model_choices(project: Project) -> Choices:
    """Return the groups of base models: the engine's, current Gemini models and retired ones."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for model in base_models.list_base_models(project):
        groups.setdefault(str(get_group_name(model)), []).append((model.id, model.id))
    return list(groups.items())


def get_group_name(model: BaseModel) -> str | Promise:
    if model.backends == ("engine",):
        return _("On this server")
    return _("Gemini (retired)") if model.retired else _("Gemini")


def adapter_choices(model: BaseModel) -> Choices:
    recommended = _("recommended")
    if model.default_adapter_size:
        recommended = _("recommended (%(size)d)") % {"size": model.default_adapter_size}
    return [("", recommended)] + [(str(size), str(size)) for size in model.adapter_sizes]


def checkpoint_choices(parent: PreTunedModel) -> Choices:
    default = parent.default_checkpoint
    word = _("Default checkpoint")
    if default:
        word = _("Default checkpoint (%(id)s)") % {"id": default.id}
    template = _("Checkpoint %(id)s · epoch %(epoch)s · step %(step)s")
    return [("", word)] + [
        (found.id, template % {"id": found.id, "epoch": found.epoch or "–", "step": found.step or "–"})
        for found in parent.checkpoints
    ]
