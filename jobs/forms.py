"""The two steps of a draft: the model with its settings, and where a dataset comes from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from jobs import bases
from jobs.models import TuningJob
from jobs.readiness import regions
from studio.models import Project
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[TuningJob]
else:
    JobModelForm = forms.ModelForm

MOST_EPOCHS = 1000
ADVANCED = {"epoch_count", "adapter_size", "learning_rate_multiplier", "export_last_checkpoint_only"}
Choices = list[tuple[str, Any]]


class ModelDetailsForm(JobModelForm):
    """Step 1. `chosen` is the base model whose limits the other fields follow; `live` is the address that
    answers with the choices of another base model."""

    epoch_count = forms.IntegerField(
        label=gettext_lazy("Number of epochs"),
        required=False,
        min_value=1,
        max_value=MOST_EPOCHS,
        help_text=gettext_lazy(
            "How often the whole dataset is gone through. Left empty, as recommended for its size."
        ),
        error_messages={
            "invalid": gettext_lazy("Write a whole number, such as 3."),
            "min_value": gettext_lazy("At least 1."),
            "max_value": gettext_lazy("At most %(limit_value)s."),
        },
    )
    adapter_size = forms.TypedChoiceField(
        label=gettext_lazy("Adapter size"),
        required=False,
        coerce=int,
        empty_value=None,
        help_text=gettext_lazy("More trainable parameters: for harder tasks, with more data and time."),
    )
    learning_rate_multiplier = forms.FloatField(
        label=gettext_lazy("Learning rate multiplier"),
        required=False,
        help_text=gettext_lazy("Times the recommended rate. Higher learns faster, lower overfits less."),
        error_messages={"invalid": gettext_lazy("Write a number, such as 0.5.")},
    )
    location = forms.ChoiceField(label=gettext_lazy("Region"))
    base_model = forms.ChoiceField(label=gettext_lazy("Base model"))

    class Meta:
        model = TuningJob
        fields = (
            "tuned_model_display_name",
            "base_model",
            "location",
            "epoch_count",
            "adapter_size",
            "learning_rate_multiplier",
            "export_last_checkpoint_only",
        )
        labels = {
            "tuned_model_display_name": gettext_lazy("Tuned model name"),
            "export_last_checkpoint_only": gettext_lazy("Export last checkpoint only"),
        }
        error_messages = {
            "tuned_model_display_name": {
                "max_length": gettext_lazy("Up to 128 characters; this name has %(show_value)s.")
            }
        }

    def __init__(self, *args: Any, chosen: str = "", live: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.project: Project = self.instance.project
        self.chosen = self._model(chosen or self._posted("base_model") or self.instance.base_model)
        self._choice("base_model").choices = model_choices(self.project)
        self._choice("location").choices = [(region, region) for region in regions(self.project, self.chosen)]
        self._choice("adapter_size").choices = adapter_choices(self.chosen)
        self.initial["base_model"] = self.chosen.id
        self.fields["location"].error_messages["invalid_choice"] = _(
            "%(model)s is not tuned in that region. Choose one of the list."
        ) % {"model": self.chosen.id}
        self.fields["adapter_size"].error_messages["invalid_choice"] = _(
            "%(model)s takes the adapter sizes %(sizes)s."
        ) % {"model": self.chosen.id, "sizes": ", ".join(map(str, self.chosen.adapter_sizes))}
        self._dress(live)

    def _posted(self, name: str) -> str:
        return str(self.data.get(name, "")) if self.is_bound else ""

    def _choice(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - told to the type checker
        return field

    def _model(self, id: str) -> BaseModel:
        """The named model, or the first one offered: a wrong name is refused by its own field."""
        offered = bases.models(self.project)
        return next((model for model in offered if model.id == id), offered[0])

    def _dress(self, live: str) -> None:
        """Looks, placeholders, and what a change asks the server for."""
        for name, field in self.fields.items():
            if name != "export_last_checkpoint_only":
                chooses = isinstance(field, forms.ChoiceField)
                field.widget.attrs["class"] = "form-select" if chooses else "form-control"
            field.widget.attrs |= {
                "hx-get": live,
                "hx-trigger": "change",
                "hx-swap": "none",
                "hx-include": "closest form",
                "hx-params": "not csrfmiddlewaretoken",
            }
        self.fields["tuned_model_display_name"].widget.attrs |= {
            "data-counter": "name-length",
            "autocomplete": "off",
        }
        self.fields["export_last_checkpoint_only"].widget.attrs["class"] = "form-check-input"
        self.fields["epoch_count"].widget.attrs["placeholder"] = _("recommended")
        self.fields["learning_rate_multiplier"].widget.attrs |= {"placeholder": "1", "step": "any"}

    @property
    def description(self) -> str:
        return self.chosen.description(get_language() or "en")

    @property
    def advanced_errors(self) -> bool:
        return bool(self.errors.keys() & ADVANCED)

    def clean_learning_rate_multiplier(self) -> float | None:
        value: float | None = self.cleaned_data["learning_rate_multiplier"]
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValidationError(_("More than 0."))
        return value

    def clean_tuned_model_display_name(self) -> str:
        name: str = self.cleaned_data["tuned_model_display_name"]
        if "\x00" in name:
            raise ValidationError(_("The name holds a character that cannot be stored."))
        return name


def model_choices(project: Project) -> Choices:
    """The engine's own bases, today's Gemini models, and the retired ones, each group under its name."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for model in bases.models(project):
        groups.setdefault(str(group_of(model)), []).append((model.id, model.id))
    return list(groups.items())


def group_of(model: BaseModel) -> str | Promise:
    if model.backends == ("engine",):
        return _("On this server")
    return _("Gemini, retired") if model.retired else _("Gemini")


def adapter_choices(model: BaseModel) -> Choices:
    recommended = _("recommended")
    if model.default_adapter_size:
        recommended = _("recommended (%(size)d)") % {"size": model.default_adapter_size}
    return [("", recommended)] + [(str(size), str(size)) for size in model.adapter_sizes]
