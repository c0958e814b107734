"""Cures for what lies around a job: quota, permissions, the API, billing, and the service's own failures."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jobs.troubleshooting.fix import SETTINGS, FailureCase, Fix
from studio.pages.error_messages import MESSAGES_BY_REASON

ROLE_BY_PERMISSION = {
    "aiplatform.": "Vertex AI User (roles/aiplatform.user)",
    "iam.serviceAccounts.actAs": "Service Account User (roles/iam.serviceAccountUser)",
    "storage.": "Storage Object User (roles/storage.objectUser)",
    "cloudkms.": "Cloud KMS CryptoKey Encrypter/Decrypter (roles/cloudkms.cryptoKeyEncrypterDecrypter)",
    "serviceusage.": "Service Usage Consumer (roles/serviceusage.serviceUsageConsumer)",
}
"""The beginning of a permission -> the least of Google's own roles that holds it."""


def get_retry_label(case: FailureCase) -> str:
    """The button, where there is nothing left to wait for; what was not sent yet is sent by itself."""
    return _("Tune again") if case.job.is_final else ""


def fix_used_up_quota(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    metric = case.match.groupdict().get("metric")
    cause = (
        _("The quota %(metric)s of this Google Cloud project is used up.") % {"metric": metric}
        if metric
        else _("A quota of this Google Cloud project is used up.")
    )
    return suggest_waiting(case, cause)


def fix_concurrent_jobs(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    return suggest_waiting(case, _("Other tuning jobs hold this project’s quota of jobs at the same time."))


def fix_no_capacity(case: FailureCase) -> Fix | None:
    """Shared capacity, which no quota of the project's helps against."""
    if case.on_engine:
        return None
    cause = _("Google has no capacity free at the moment.")
    if not case.job.is_final:
        return Fix(cause, _("The job is sent again by itself."))
    return Fix(cause, _("Tune again in a while, or in another region."), button=get_retry_label(case))


def suggest_waiting(case: FailureCase, cause: str) -> Fix:
    action = (
        _("Wait until another job is over, then tune again; or ask Google for more quota.")
        if case.job.is_final
        else _("The job is sent again by itself. More quota can be asked of Google.")
    )
    page = case.console_url("iam-admin/quotas")
    return Fix(cause, action, button=get_retry_label(case), link=page, link_words=_("Open the quotas"))


def fix_act_as_permission(case: FailureCase) -> Fix | None:
    """Either the role is given, or the job runs as the service's own account."""
    account = case.job.service_account
    if case.on_engine or not account:
        return fix_missing_permission(case)
    cause = _("The account of this project may not run jobs as %(account)s.") % {"account": account}
    action = _("Give it the role %(role)s on that account, or leave the account out.") % {
        "role": ROLE_BY_PERMISSION["iam.serviceAccounts.actAs"]
    }
    note = _("Cleared; it was %(old)s. %(why)s") % {"old": account, "why": cause}
    return Fix(
        cause,
        action,
        "service_account",
        {"service_account": ""},
        _("Go on without the account"),
        {"service_account": note},
        case.console_url("iam-admin/serviceaccounts"),
        _("Open the service accounts"),
    )


def fix_missing_permission(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    named = case.match.groupdict().get("permission") or ""
    role = next((role for start, role in ROLE_BY_PERMISSION.items() if named.startswith(start)), "")
    cause = _("The account of this project lacks the permission %(permission)s.") % {"permission": named}
    action = _("Give it the role %(role)s, then try again.") % {"role": role}
    if not role:
        cause = _("The account of this project lacks a permission.")
        action = _("Give it the roles Vertex AI User and, on the bucket, Storage Object User.")
    return Fix(
        cause,
        action,
        button=get_retry_label(case),
        link=case.console_url("iam-admin/iam"),
        link_words=_("Open the permissions"),
    )


def fix_key_permission(case: FailureCase) -> Fix | None:
    """The service, not the caller, encrypts."""
    if case.on_engine:
        return None
    cause = _("The service may not use the encryption key.")
    action = _("Give its account the role %(role)s on the key, then try again.") % {
        "role": ROLE_BY_PERMISSION["cloudkms."]
    }
    page = case.console_url("security/kms/keyrings")
    return Fix(cause, action, button=get_retry_label(case), link=page, link_words=_("Open the keys"))


CONSOLE_PAGES = {
    "SERVICE_DISABLED": "apis/library/aiplatform.googleapis.com",
    "BILLING_DISABLED": "billing/linkedaccount",
    "USER_PROJECT_DENIED": SETTINGS,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": SETTINGS,
}


def fix_by_reason(case: FailureCase) -> Fix | None:
    """Google's own reasons, in the words that the rest of the site has for them, with the page that helps."""
    known = case.detail.reason if case.detail.reason in CONSOLE_PAGES else case.match.lastgroup or ""
    if case.on_engine or known not in CONSOLE_PAGES:
        return None
    title, _meaning, action = MESSAGES_BY_REASON[known]
    page, words = case.console_url(CONSOLE_PAGES[known]), _("Open the page that switches it on")
    if CONSOLE_PAGES[known] == SETTINGS:
        page, words = SETTINGS, _("Open Settings")
    return Fix(str(title), str(action), button=get_retry_label(case), link=page, link_words=words)


def fix_credentials(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    cause = _("Google Cloud refused the service account of this project.")
    action = _("An admin can renew the key in Settings.")
    return Fix(cause, action, button=get_retry_label(case), link=SETTINGS, link_words=_("Open Settings"))


def fix_missing_endpoint(case: FailureCase) -> Fix | None:
    """Trained and paid for: nothing has to be tuned again."""
    cause = _("The model is tuned and stored; only its endpoint could not be made.")
    action = _("Deploy it from Model Registry, where it is listed under its name.")
    page = case.console_url("vertex-ai/models")
    return Fix(cause, action, link=page, link_words=_("Open Model Registry"))


def fix_full_disk(case: FailureCase) -> Fix:
    cause = _("The disk of the engine is full.")
    return Fix(cause, _("Free some space, then tune again."), button=get_retry_label(case))


def fix_dead_trainer(case: FailureCase) -> Fix:
    cause = _("The training ended several times without getting further.")
    action = _("The line below tells how it ended last. Tune again once that is mended.")
    return Fix(cause, action, button=get_retry_label(case))


def fix_cancelled_job(case: FailureCase) -> Fix:
    cause = _("This job was cancelled.")
    return Fix(cause, _("Tune again starts over, with the same settings."), button=get_retry_label(case))


def fix_internal_error(case: FailureCase) -> Fix:
    cause = _("The service failed at this job; nothing in the request is known to be wrong.")
    action = (
        _("Tune again. If it fails once more, its log in the engine’s folder tells why.")
        if case.on_engine
        else _("Tune again. If it fails once more, give Google’s support the job’s name.")
    )
    return Fix(cause, action, button=get_retry_label(case))
