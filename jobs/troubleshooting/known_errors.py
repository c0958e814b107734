"""Known failures of Vertex AI and of the engine: what each means, and what mends it (pure).

A refusal names its fields (fieldViolations), else there are only its words, else only its status; the book is
read in that order, the first page that fits counts. What stands on no page is not guessed at: the answer is
None, and the service's own words are shown as they are (studio.words).

The wordings are the engine's own, those that were seen from the real service, and the common ones of Google's
APIs; the tests tell which is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.troubleshooting import dataset_fixes, service_fixes, settings_fixes
from jobs.troubleshooting.error_details import Fault, Symptom, symptoms
from jobs.troubleshooting.fix import SETTINGS, Case, Recipe

if TYPE_CHECKING:
    from jobs.models import TuningJob

__all__ = ["SETTINGS", "Recipe", "recipe", "recipes"]
ANYTHING = re.compile("")


@dataclass(frozen=True, slots=True)
class Page:
    """`cure` is for a symptom of one of `fields` (any where there are none) whose words match `words` and
    whose status or reason is `status` (any where it is blank)."""

    cure: Callable[[Case], Recipe | None]
    words: re.Pattern[str] = ANYTHING
    fields: frozenset[str] = frozenset()
    status: str = ""

    def found(self, symptom: Symptom) -> re.Match[str] | None:
        if self.fields and symptom.field not in self.fields:
            return None
        if self.status not in ("", symptom.status, symptom.reason):
            return None
        if self.status and self.words is ANYTHING and symptom.field:
            return None  # a named field is not explained by the status of the whole
        return self.words.search(symptom.text)


def page(
    cure: Callable[[Case], Recipe | None], words: str = "", *, fields: str = "", status: str = ""
) -> Page:
    pattern = re.compile(words, re.IGNORECASE | re.DOTALL) if words else ANYTHING
    return Page(cure, pattern, frozenset(fields.split()), status)


DATASETS = "training validation"
BOOK = (
    # What the words say, whatever field they stand at.
    page(
        settings_fixes.adapter_of_pre_tuned,
        r"pre-tuned model has \w+: leave adapter_size out",
        fields="adapter_size",
    ),
    page(settings_fixes.adapter_size, r"adapter size .*not (supported|allowed)"),
    page(service_fixes.key_permission, r"cloudkms\.\w+|permission[^.]* cryptoKey"),
    page(settings_fixes.key_elsewhere, r"region|location", fields="kms_key_name"),
    page(settings_fixes.key_elsewhere, r"(kms|encryption|crypto) ?key.*(region|location)"),
    page(settings_fixes.no_key, r"not supported|leave encryption_spec out|CMEK", fields="kms_key_name"),
    page(settings_fixes.no_key, r"(CMEK|customer-managed encryption keys?)[^.]* not supported"),
    page(settings_fixes.other_build, r"was tuned on another build of (?P<model>\S+) than"),
    page(settings_fixes.base_model, r"base model (?P<model>\S+) is not on this engine any more"),
    page(
        settings_fixes.location,
        r"unsupported (location|region)|not (supported|available) in (the |this )?(location|region)",
    ),
    page(
        settings_fixes.location,
        r"(location|region) \S+ is not supported|not (supported|available) in [a-z]+-[a-z]+\d",
    ),
    page(
        settings_fixes.base_model,
        r"(?<!this )base model:? (?P<model>\S+) (is|was) (not (supported|found)|deprecated|retired)",
    ),
    page(
        settings_fixes.base_model,
        r"(?:model )?(?P<model>gemini-[\w.-]*\w) is (not supported|deprecated|retired|discontinued)",
    ),
    page(dataset_fixes.nothing_to_learn, r"no example of \S+ can be learned from\. ?(?P<reasons>.*)"),
    page(
        dataset_fixes.modality,
        r"dataset example (?P<n>\d+) of (?P<total>\d+) contains an unsupported modality \[(?P<kind>[^\]]*)\]",
    ),
    page(dataset_fixes.role, r"use a valid role: user, model"),
    page(dataset_fixes.not_jsonl, r"should be a GCS object of type JSONL", fields=DATASETS),
    page(
        dataset_fixes.not_readable,
        r"(?P<who>\S+@\S+\.gserviceaccount\.com) does not have storage\.\S+ access",
    ),
    page(
        dataset_fixes.not_readable,
        r"storage\.(objects|buckets)\.\w+|permission[^.]* gs://|gs://\S+[^.]* permission",
    ),
    page(dataset_fixes.not_there, r"does not exist|not found|no such object|is required", fields=DATASETS),
    page(dataset_fixes.not_there, r"(gs://\S+|no such object).*(not exist|not found)|no such object"),
    page(
        dataset_fixes.too_many_held_out,
        r"validation dataset.*(at most|exceed\w*|more than|maximum\D*|up to) (?P<most>\d+)",
    ),
    page(
        dataset_fixes.too_long,
        r"example.{0,200}(exceed|more than|at most|longer than).{0,99}token|token (limit|count).{0,99}exceed",
    ),
    page(dataset_fixes.too_many_held_out, r"too many|exceed|at most", fields="validation"),
    page(dataset_fixes.nothing_to_learn, r"dataset has no examples"),
    page(dataset_fixes.too_big, r"dataset can have at most 1 GB"),
    page(settings_fixes.lower_rate, r"is -?(nan|inf)\b.*learningRateMultiplier"),
    page(settings_fixes.smaller_adapter, r"memory of the engine does not suffice|machine was out of memory"),
    page(service_fixes.disk_full, r"disk of (the engine|this server) is full"),
    page(service_fixes.trainer_died, r"the trainer ended \d+ times without progress"),
    page(service_fixes.no_endpoint, r"failed to create endpoint.*tuned model is uploaded"),
    page(settings_fixes.checkpoint, r"has no checkpoint \S+, only: (?P<listed>[^.]*)"),
    page(settings_fixes.too_many_labels, r"at most 64", fields="labels"),
    # Around the job.
    *(page(service_fixes.reason, status=known) for known in service_fixes.PAGES),
    page(
        service_fixes.reason,
        r"(?P<SERVICE_DISABLED>has not been used in project|API[^.]* is disabled)",
        status="PERMISSION_DENIED",
    ),
    page(
        service_fixes.reason, r"(?P<BILLING_DISABLED>billing[^.]* (disabled|not enabled|be enabled|closed))"
    ),
    page(service_fixes.act_as, r"(?P<permission>iam\.serviceAccounts\.actAs)"),
    page(
        service_fixes.concurrent, r"concurrent[ _]?tuning|tuning[^.]* concurrent", status="RESOURCE_EXHAUSTED"
    ),
    page(
        service_fixes.quota,
        r"quota exceeded for (?:quota metric )?['\"]?(?P<metric>[^\s'\"]+)",
        status="RESOURCE_EXHAUSTED",
    ),
    page(service_fixes.busy, r"resource (has been )?exhausted", status="RESOURCE_EXHAUSTED"),
    page(
        service_fixes.permission,
        r"(?P<permission>(aiplatform|serviceusage)\.\w+\.\w+)",
        status="PERMISSION_DENIED",
    ),
    # A field, whatever is said about it.
    page(settings_fixes.adapter_size, fields="adapter_size"),
    page(settings_fixes.epoch_count, fields="epoch_count"),
    page(settings_fixes.learning_rate, fields="learning_rate_multiplier"),
    page(
        settings_fixes.base_model,
        r"not supported|not found|deprecated|retired|unknown|not available",
        fields="base_model",
    ),
    page(
        settings_fixes.display_name,
        r"at most|too long|exceed|longer|characters",
        fields="tuned_model_display_name",
    ),
    page(settings_fixes.labels, fields="labels"),
    page(settings_fixes.service_account, fields="service_account"),
    page(settings_fixes.other_key, fields="kms_key_name"),
    page(settings_fixes.checkpoint, fields="pre_tuned_checkpoint"),
    page(settings_fixes.pre_tuned_model, fields="pre_tuned_model"),
    # Nothing but a status.
    page(service_fixes.quota, status="RESOURCE_EXHAUSTED"),
    page(service_fixes.permission, status="PERMISSION_DENIED"),
    page(service_fixes.credentials, status="UNAUTHENTICATED"),
    page(service_fixes.cancelled, status="CANCELLED"),
    page(service_fixes.broke_down, status="INTERNAL"),
    page(service_fixes.broke_down, status="UNAVAILABLE"),
)


def recipe(fault: Fault, job: TuningJob) -> Recipe | None:
    """The first of what is known about it."""
    return next(iter(recipes(fault, job)), None)


def recipes(fault: Fault, job: TuningJob) -> list[Recipe]:
    """One for each symptom that stands in the book; a refusal may name several fields at once."""
    found = (of_symptom(symptom, job) for symptom in symptoms(fault))
    return [each for each in found if each]


def of_symptom(symptom: Symptom, job: TuningJob) -> Recipe | None:
    for each in BOOK:
        if (match := each.found(symptom)) and (made := each.cure(Case(job, symptom, match))):
            return made
    return None
