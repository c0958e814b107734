"""Form fields of step 1 with their labels and messages, in the order of the page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from jobs.models import TuningJob
from jobs.wizard.model_step import labels
from jobs.wizard.model_step.pre_tuned_models import list_pre_tuned_models

MAX_EPOCHS = 1000
"""Above any useful number, so that larger ones are typing errors. The service has its own, lower limit."""
OTHER = "other"
"""Choice for a pre-tuned model that isn't listed."""
ADVANCED = (
    "epoch_count",
    "adapter_size",
    "learning_rate_multiplier",
    "export_last_checkpoint_only",
    "labels",
    "description",
    "service_account",
    "kms_key_name",
)
COLUMNS = (
    "pre_tuned_model",
    "pre_tuned_checkpoint",
    "tuned_model_display_name",
    "base_model",
    "location",
    *ADVANCED,
)
"""Columns of TuningJob that step 1 changes."""


class LabelsField(forms.CharField):
    """A dict of labels, entered as one `key=value` per line."""

    widget = forms.Textarea

    def clean(self, value: Any) -> dict[str, str]:
        try:
            return labels.parse_labels(super().clean(value))
        except labels.InvalidLabels as error:
            raise ValidationError(error.sentences) from None


class ModelFields(forms.Form):
    source = forms.ChoiceField(
        label=gettext_lazy("Start from"),
        required=False,
        widget=forms.RadioSelect,
        choices=[
            ("foundation", gettext_lazy("Tune a foundation model")),
            ("pre_tuned", gettext_lazy("Tune a pre-tuned model")),
        ],
    )
    pre_tuned_model = forms.CharField(
        label=gettext_lazy("Pre-tuned model"), required=False, max_length=300, widget=forms.Select
    )
    other_model = forms.CharField(
        label=gettext_lazy("Resource name of the model"),
        required=False,
        max_length=300,
        help_text=gettext_lazy(
            "projects/…/locations/…/models/ID. Add @version for a version other than the default."
        ),
    )
    pre_tuned_checkpoint = forms.CharField(label=gettext_lazy("Checkpoint"), required=False, max_length=40)
    tuned_model_display_name = forms.CharField(
        label=gettext_lazy("Tuned model name"),
        required=False,
        max_length=128,
        error_messages={
            "max_length": gettext_lazy("Enter up to 128 characters; this name has %(show_value)s.")
        },
    )
    base_model = forms.CharField(label=gettext_lazy("Base model"), required=False, widget=forms.Select)
    location = forms.ChoiceField(label=gettext_lazy("Region"))
    epoch_count = forms.IntegerField(
        label=gettext_lazy("Number of epochs"),
        required=False,
        min_value=1,
        max_value=MAX_EPOCHS,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text=gettext_lazy("Passes over the training data. Leave empty for the recommended value."),
        error_messages={
            "invalid": gettext_lazy("Enter a whole number, such as 3."),
            "min_value": gettext_lazy("Enter 1 or more."),
            "max_value": gettext_lazy("Enter %(limit_value)s or less."),
        },
    )
    adapter_size = forms.TypedChoiceField(
        label=gettext_lazy("Adapter size"),
        required=False,
        coerce=int,
        empty_value=None,
        help_text=gettext_lazy("Larger adapters learn harder tasks but need more data and time."),
    )
    learning_rate_multiplier = forms.FloatField(
        label=gettext_lazy("Learning rate multiplier"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=gettext_lazy(
            "Multiplies the recommended learning rate. Higher values learn faster; lower values overfit less."
        ),
        error_messages={"invalid": gettext_lazy("Enter a number, such as 0.5.")},
    )
    export_last_checkpoint_only = forms.BooleanField(
        label=gettext_lazy("Export last checkpoint only"), required=False
    )
    labels = LabelsField(
        label=gettext_lazy("Labels"),
        required=False,
        strip=False,  # Line numbers in errors count leading blank lines.
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One key=value pair per line. Labels are also added to the tuned model and its endpoint."
        ),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("What this job is for. Stored with the job and its model."),
        error_messages={
            "max_length": gettext_lazy("Enter up to 2,000 characters; this text has %(show_value)s.")
        },
    )
    service_account = forms.EmailField(
        label=gettext_lazy("Service account"),
        required=False,
        max_length=254,
        widget=forms.TextInput(attrs={"inputmode": "email", "spellcheck": "false"}),
        help_text=gettext_lazy("The job runs as this account. Leave empty to use Vertex AI’s service agent."),
        error_messages={
            "invalid": gettext_lazy(
                "Enter a service account email address, such as name@project.iam.gserviceaccount.com."
            )
        },
    )
    kms_key_name = forms.CharField(
        label=gettext_lazy("Customer-managed encryption key"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"spellcheck": "false"}),
        help_text=gettext_lazy(
            "projects/…/locations/…/keyRings/…/cryptoKeys/…, in the job’s region. Leave empty to use "
            "Google’s own keys."
        ),
    )


def build_form_data(job: TuningJob) -> dict[str, str]:
    """Return the draft's values as its form posts them."""
    values = {name: getattr(job, name) for name in COLUMNS}
    rate = job.learning_rate_multiplier
    known = (
        {parent.name for parent in list_pre_tuned_models(job.project, job.location)}
        if job.pre_tuned_model
        else set()
    )
    picked = job.pre_tuned_model if job.pre_tuned_model in known else OTHER if job.pre_tuned_model else ""
    return {
        **{name: "" if value is None else str(value) for name, value in values.items()},
        "source": "pre_tuned" if job.pre_tuned_model else "foundation",
        "pre_tuned_model": picked,
        "other_model": job.pre_tuned_model if picked == OTHER else "",
        "learning_rate_multiplier": "" if rate is None else str(rate).removesuffix(".0"),
        "export_last_checkpoint_only": "on" if job.export_last_checkpoint_only else "",
        "labels": labels.format_labels(job.labels),
    }
