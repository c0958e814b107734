"""Fixes for conditions outside of the request: quota, permissions, API, billing and service failures."""

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
"""Prefix of a permission -> the smallest predefined role that includes it."""


def get_retry_label(case: FailureCase) -> str:
    """Return the label of the retry button, or "" for a job that will be sent again automatically."""
    return _("Tune again") if case.job.is_final else ""


def fix_used_up_quota(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    metric = case.match.groupdict().get("metric")
    cause = (
        _("This Google Cloud project has used up its quota for %(metric)s.") % {"metric": metric}
        if metric
        else _("This Google Cloud project has used up a quota.")
    )
    return suggest_waiting(case, cause)


def fix_concurrent_jobs(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    return suggest_waiting(case, _("Other tuning jobs are using all of this project’s concurrent job quota."))


def fix_no_capacity(case: FailureCase) -> Fix | None:
    """Shared capacity is exhausted; more quota for the project wouldn't help."""
    if case.on_engine:
        return None
    cause = _("Google has no capacity available right now.")
    if not case.job.is_final:
        return Fix(cause, _("The job is resubmitted automatically."))
    return Fix(cause, _("Tune again later, or in another region."), button=get_retry_label(case))


def suggest_waiting(case: FailureCase, cause: str) -> Fix:
    action = (
        _("Wait for another job to finish and tune again, or request more quota from Google.")
        if case.job.is_final
        else _("The job is resubmitted automatically. You can also request more quota from Google.")
    )
    page = case.console_url("iam-admin/quotas")
    return Fix(cause, action, button=get_retry_label(case), link=page, link_words=_("Open quotas"))


def fix_act_as_permission(case: FailureCase) -> Fix | None:
    """Grant the role, or run the job with the service's own account."""
    account = case.job.service_account
    if case.on_engine or not account:
        return fix_missing_permission(case)
    cause = _("This project’s account isn’t allowed to run jobs as %(account)s.") % {"account": account}
    action = _("Grant it the role %(role)s on that account, or remove the account.") % {
        "role": ROLE_BY_PERMISSION["iam.serviceAccounts.actAs"]
    }
    note = _("Cleared (was %(old)s). %(why)s") % {"old": account, "why": cause}
    return Fix(
        cause,
        action,
        "service_account",
        {"service_account": ""},
        _("Continue without the account"),
        {"service_account": note},
        case.console_url("iam-admin/serviceaccounts"),
        _("Open service accounts"),
    )


def fix_missing_permission(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    permission = case.match.groupdict().get("permission") or ""
    role = next((role for start, role in ROLE_BY_PERMISSION.items() if permission.startswith(start)), "")
    cause = _("This project’s account is missing the permission %(permission)s.") % {"permission": permission}
    action = _("Grant it the role %(role)s, then try again.") % {"role": role}
    if not role:
        cause = _("This project’s account is missing a permission.")
        action = _("Grant it the Vertex AI User role and, on the bucket, the Storage Object User role.")
    return Fix(
        cause,
        action,
        button=get_retry_label(case),
        link=case.console_url("iam-admin/iam"),
        link_words=_("Open permissions"),
    )


def fix_key_permission(case: FailureCase) -> Fix | None:
    """The missing role is that of the service's account, which encrypts, and not the caller's."""
    if case.on_engine:
        return None
    cause = _("The service isn’t allowed to use the encryption key.")
    action = _("Grant its account the role %(role)s on the key, then try again.") % {
        "role": ROLE_BY_PERMISSION["cloudkms."]
    }
    page = case.console_url("security/kms/keyrings")
    return Fix(cause, action, button=get_retry_label(case), link=page, link_words=_("Open keys"))


CONSOLE_PAGES = {
    "SERVICE_DISABLED": "apis/library/aiplatform.googleapis.com",
    "BILLING_DISABLED": "billing/linkedaccount",
    "USER_PROJECT_DENIED": SETTINGS,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": SETTINGS,
}


def fix_by_reason(case: FailureCase) -> Fix | None:
    """Explain a `reason` of Google with the site's usual text and a link to the console."""
    known = case.detail.reason if case.detail.reason in CONSOLE_PAGES else case.match.lastgroup or ""
    if case.on_engine or known not in CONSOLE_PAGES:
        return None
    title, _meaning, action = MESSAGES_BY_REASON[known]
    page, words = case.console_url(CONSOLE_PAGES[known]), _("Open the page to enable it")
    if CONSOLE_PAGES[known] == SETTINGS:
        page, words = SETTINGS, _("Open Settings")
    return Fix(str(title), str(action), button=get_retry_label(case), link=page, link_words=words)


def fix_credentials(case: FailureCase) -> Fix | None:
    if case.on_engine:
        return None
    cause = _("Google Cloud rejected this project’s service account.")
    action = _("An installation admin can renew the key in Settings.")
    return Fix(cause, action, button=get_retry_label(case), link=SETTINGS, link_words=_("Open Settings"))


def fix_missing_endpoint(case: FailureCase) -> Fix | None:
    """The model was tuned; only its endpoint is missing, so the job isn't repeated."""
    cause = _("The model was tuned and stored, but its endpoint couldn’t be created.")
    action = _("Deploy it from Model Registry, where it’s listed under its name.")
    page = case.console_url("vertex-ai/models")
    return Fix(cause, action, link=page, link_words=_("Open Model Registry"))


def fix_full_disk(case: FailureCase) -> Fix:
    cause = _("The engine’s disk is full.")
    return Fix(cause, _("Free up some space, then tune again."), button=get_retry_label(case))


def fix_dead_trainer(case: FailureCase) -> Fix:
    cause = _("Training stopped several times without making progress.")
    action = _("The line below shows how it last stopped. Fix the cause, then tune again.")
    return Fix(cause, action, button=get_retry_label(case))


def fix_cancelled_job(case: FailureCase) -> Fix:
    cause = _("This job was cancelled.")
    return Fix(cause, _("Use Tune again to start over with the same settings."), button=get_retry_label(case))


def fix_internal_error(case: FailureCase) -> Fix:
    cause = _("A service error ended the job. No problem with the request was found.")
    action = (
        _("Tune again. If it fails again, see its log in the engine’s folder.")
        if case.on_engine
        else _("Tune again. If it fails again, contact Google support with the job name.")
    )
    return Fix(cause, action, button=get_retry_label(case))
