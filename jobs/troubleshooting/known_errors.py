"""Known errors of Vertex AI and of the engine, with their causes and fixes (pure).

Rules are tried in order, and the first match wins: by field (fieldViolations), by message, by status. An
unknown error has no fix; the service's own message is displayed instead (studio.pages.error_messages).

The messages are the engine's, those observed from the real service, and common ones of Google APIs; the tests
say which is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.troubleshooting import dataset_fixes, service_fixes, settings_fixes
from jobs.troubleshooting.error_details import ErrorDetail, Fault, parse_error_details
from jobs.troubleshooting.fix import SETTINGS, FailureCase, Fix

if TYPE_CHECKING:
    from jobs.models import TuningJob

__all__ = ["SETTINGS", "Fix", "find_fix", "find_fixes"]
ANYTHING = re.compile("")


@dataclass(frozen=True, slots=True)
class Rule:
    """`fix` applies to details of one of `fields` (if given) whose text matches `words` and whose status or
    reason is `status` (if given)."""

    fix: Callable[[FailureCase], Fix | None]
    words: re.Pattern[str] = ANYTHING
    fields: frozenset[str] = frozenset()
    status: str = ""

    def match(self, symptom: ErrorDetail) -> re.Match[str] | None:
        if self.fields and symptom.field not in self.fields:
            return None
        if self.status not in ("", symptom.status, symptom.reason):
            return None
        if self.status and self.words is ANYTHING and symptom.field:
            return None  # the status of the response doesn't explain an error of one field
        return self.words.search(symptom.text)


def make_rule(
    fix: Callable[[FailureCase], Fix | None], words: str = "", *, fields: str = "", status: str = ""
) -> Rule:
    pattern = re.compile(words, re.IGNORECASE | re.DOTALL) if words else ANYTHING
    return Rule(fix, pattern, frozenset(fields.split()), status)


DATASETS = "training validation"
RULES = (
    # By message, in any field.
    make_rule(
        settings_fixes.fix_pre_tuned_adapter_size,
        r"pre-tuned model has \w+[.:] leave adapter_size out",
        fields="adapter_size",
    ),
    make_rule(settings_fixes.fix_adapter_size, r"adapter size .*not (supported|allowed)"),
    make_rule(service_fixes.fix_key_permission, r"cloudkms\.\w+|permission[^.]* cryptoKey"),
    make_rule(settings_fixes.fix_key_region, r"region|location", fields="kms_key_name"),
    make_rule(settings_fixes.fix_key_region, r"(kms|encryption|crypto) ?key.*(region|location)"),
    make_rule(
        settings_fixes.fix_unsupported_key,
        r"not supported|leave encryption_spec out|CMEK",
        fields="kms_key_name",
    ),
    make_rule(
        settings_fixes.fix_unsupported_key, r"(CMEK|customer-managed encryption keys?)[^.]* not supported"
    ),
    make_rule(settings_fixes.fix_other_build, r"was tuned on another build of (?P<model>\S+) than"),
    make_rule(
        settings_fixes.fix_base_model,
        r"base model (?P<model>\S+) is (no longer on this engine|not on this engine any more)",
    ),
    make_rule(
        settings_fixes.fix_location,
        r"unsupported (location|region)|not (supported|available) in (the |this )?(location|region)",
    ),
    make_rule(
        settings_fixes.fix_location,
        r"(location|region) \S+ is not supported|not (supported|available) in [a-z]+-[a-z]+\d",
    ),
    make_rule(
        settings_fixes.fix_base_model,
        r"(?<!this )base model:? (?P<model>\S+) (is|was) (not (supported|found)|deprecated|retired)",
    ),
    make_rule(
        settings_fixes.fix_base_model,
        r"(?:model )?(?P<model>gemini-[\w.-]*\w) is (not supported|deprecated|retired|discontinued)",
    ),
    make_rule(
        dataset_fixes.fix_no_usable_example,
        r"no example (of|in) \S+ can be (learned from|used)\. ?(?P<reasons>.*)",
    ),
    make_rule(
        dataset_fixes.fix_unsupported_modality,
        r"dataset example (?P<n>\d+) of (?P<total>\d+) contains an unsupported modality \[(?P<kind>[^\]]*)\]",
    ),
    make_rule(dataset_fixes.fix_invalid_role, r"use a valid role: user, model"),
    make_rule(dataset_fixes.fix_not_jsonl, r"should be a GCS object of type JSONL", fields=DATASETS),
    make_rule(
        dataset_fixes.fix_unreadable_file,
        r"(?P<who>\S+@\S+\.gserviceaccount\.com) does not have storage\.\S+ access",
    ),
    make_rule(
        dataset_fixes.fix_unreadable_file,
        r"storage\.(objects|buckets)\.\w+|permission[^.]* gs://|gs://\S+[^.]* permission",
    ),
    make_rule(
        dataset_fixes.fix_missing_file,
        r"does not exist|not found|no such object|is required",
        fields=DATASETS,
    ),
    make_rule(
        dataset_fixes.fix_missing_file, r"(gs://\S+|no such object).*(not exist|not found)|no such object"
    ),
    make_rule(
        dataset_fixes.fix_too_many_validation_examples,
        r"validation dataset.*(at most|exceed\w*|more than|maximum\D*|up to) (?P<most>\d+)",
    ),
    make_rule(
        dataset_fixes.fix_too_long_example,
        r"example.{0,200}(exceed|more than|at most|longer than).{0,99}token|token (limit|count).{0,99}exceed",
    ),
    make_rule(
        dataset_fixes.fix_too_many_validation_examples, r"too many|exceed|at most", fields="validation"
    ),
    make_rule(dataset_fixes.fix_no_usable_example, r"dataset has no examples"),
    make_rule(dataset_fixes.fix_too_large_file, r"dataset can (be|have) at most 1 GB"),
    make_rule(settings_fixes.fix_nan_loss, r"is -?(nan|inf)\b.*learningRateMultiplier"),
    make_rule(
        settings_fixes.fix_out_of_memory,
        r"memory of the engine does not suffice|(engine is|machine was) out of memory",
    ),
    make_rule(service_fixes.fix_full_disk, r"disk of (the engine|this server) is full|engine's disk is full"),
    make_rule(service_fixes.fix_dead_trainer, r"the trainer ended \d+ times without progress"),
    make_rule(service_fixes.fix_missing_endpoint, r"failed to create endpoint.*tuned model is uploaded"),
    make_rule(
        settings_fixes.fix_pre_tuned_checkpoint,
        r"has no checkpoint \S+ (only|available checkpoints): (?P<listed>[^.]*)",
    ),
    make_rule(settings_fixes.fix_too_many_labels, r"at most 64", fields="labels"),
    # Quota, permissions and other conditions outside of the request.
    *(make_rule(service_fixes.fix_by_reason, status=known) for known in service_fixes.CONSOLE_PAGES),
    make_rule(
        service_fixes.fix_by_reason,
        r"(?P<SERVICE_DISABLED>has not been used in project|API[^.]* is disabled)",
        status="PERMISSION_DENIED",
    ),
    make_rule(
        service_fixes.fix_by_reason,
        r"(?P<BILLING_DISABLED>billing[^.]* (disabled|not enabled|be enabled|closed))",
    ),
    make_rule(service_fixes.fix_act_as_permission, r"(?P<permission>iam\.serviceAccounts\.actAs)"),
    make_rule(
        service_fixes.fix_concurrent_jobs,
        r"concurrent[ _]?tuning|tuning[^.]* concurrent",
        status="RESOURCE_EXHAUSTED",
    ),
    make_rule(
        service_fixes.fix_used_up_quota,
        r"quota exceeded for (?:quota metric )?['\"]?(?P<metric>[^\s'\"]+)",
        status="RESOURCE_EXHAUSTED",
    ),
    make_rule(service_fixes.fix_no_capacity, r"resource (has been )?exhausted", status="RESOURCE_EXHAUSTED"),
    make_rule(
        service_fixes.fix_missing_permission,
        r"(?P<permission>(aiplatform|serviceusage)\.\w+\.\w+)",
        status="PERMISSION_DENIED",
    ),
    # By field, with any message.
    make_rule(settings_fixes.fix_adapter_size, fields="adapter_size"),
    make_rule(settings_fixes.fix_epoch_count, fields="epoch_count"),
    make_rule(settings_fixes.fix_learning_rate, fields="learning_rate_multiplier"),
    make_rule(
        settings_fixes.fix_base_model,
        r"not supported|not found|deprecated|retired|unknown|not available",
        fields="base_model",
    ),
    make_rule(
        settings_fixes.fix_display_name,
        r"at most|too long|exceed|longer|characters",
        fields="tuned_model_display_name",
    ),
    make_rule(settings_fixes.fix_labels, fields="labels"),
    make_rule(settings_fixes.fix_service_account, fields="service_account"),
    make_rule(settings_fixes.fix_invalid_key, fields="kms_key_name"),
    make_rule(settings_fixes.fix_pre_tuned_checkpoint, fields="pre_tuned_checkpoint"),
    make_rule(settings_fixes.fix_pre_tuned_model, fields="pre_tuned_model"),
    # By status only.
    make_rule(service_fixes.fix_used_up_quota, status="RESOURCE_EXHAUSTED"),
    make_rule(service_fixes.fix_missing_permission, status="PERMISSION_DENIED"),
    make_rule(service_fixes.fix_credentials, status="UNAUTHENTICATED"),
    make_rule(service_fixes.fix_cancelled_job, status="CANCELLED"),
    make_rule(service_fixes.fix_internal_error, status="INTERNAL"),
    make_rule(service_fixes.fix_internal_error, status="UNAVAILABLE"),
)


def find_fix(fault: Fault, job: TuningJob) -> Fix | None:
    """Return the first known fix, or None."""
    return next(iter(find_fixes(fault, job)), None)


def find_fixes(fault: Fault, job: TuningJob) -> list[Fix]:
    """Return one fix per known error detail: a response can name several fields."""
    found = (find_fix_for_detail(symptom, job) for symptom in parse_error_details(fault))
    return [each for each in found if each]


def find_fix_for_detail(symptom: ErrorDetail, job: TuningJob) -> Fix | None:
    for each in RULES:
        if (match := each.match(symptom)) and (fix := each.fix(FailureCase(job, symptom, match))):
            return fix
    return None
