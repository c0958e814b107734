"""Cures for what lies around a job: quota, permissions, the API, billing, and the service's own failures."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jobs.troubleshooting.fix import SETTINGS, Case, Recipe
from studio.pages.error_messages import REASONS

ROLES = {
    "aiplatform.": "Vertex AI User (roles/aiplatform.user)",
    "iam.serviceAccounts.actAs": "Service Account User (roles/iam.serviceAccountUser)",
    "storage.": "Storage Object User (roles/storage.objectUser)",
    "cloudkms.": "Cloud KMS CryptoKey Encrypter/Decrypter (roles/cloudkms.cryptoKeyEncrypterDecrypter)",
    "serviceusage.": "Service Usage Consumer (roles/serviceusage.serviceUsageConsumer)",
}
"""The beginning of a permission -> the least of Google's own roles that holds it."""


def again(case: Case) -> str:
    """The button, where there is nothing left to wait for; what was not sent yet is sent by itself."""
    return _("Tune again") if case.job.is_final else ""


def quota(case: Case) -> Recipe | None:
    if case.on_engine:
        return None
    metric = case.found.groupdict().get("metric")
    cause = (
        _("The quota %(metric)s of this Google Cloud project is used up.") % {"metric": metric}
        if metric
        else _("A quota of this Google Cloud project is used up.")
    )
    return waiting(case, cause)


def concurrent(case: Case) -> Recipe | None:
    if case.on_engine:
        return None
    return waiting(case, _("Other tuning jobs hold this project’s quota of jobs at the same time."))


def busy(case: Case) -> Recipe | None:
    """Shared capacity, which no quota of the project's helps against."""
    if case.on_engine:
        return None
    cause = _("Google has no capacity free at the moment.")
    if not case.job.is_final:
        return Recipe(cause, _("The job is sent again by itself."))
    return Recipe(cause, _("Tune again in a while, or in another region."), button=again(case))


def waiting(case: Case, cause: str) -> Recipe:
    action = (
        _("Wait until another job is over, then tune again; or ask Google for more quota.")
        if case.job.is_final
        else _("The job is sent again by itself. More quota can be asked of Google.")
    )
    page = case.console("iam-admin/quotas")
    return Recipe(cause, action, button=again(case), link=page, link_words=_("Open the quotas"))


def act_as(case: Case) -> Recipe | None:
    """Either the role is given, or the job runs as the service's own account."""
    account = case.job.service_account
    if case.on_engine or not account:
        return permission(case)
    cause = _("The account of this project may not run jobs as %(account)s.") % {"account": account}
    action = _("Give it the role %(role)s on that account, or leave the account out.") % {
        "role": ROLES["iam.serviceAccounts.actAs"]
    }
    note = _("Cleared; it was %(old)s. %(why)s") % {"old": account, "why": cause}
    return Recipe(
        cause,
        action,
        "service_account",
        {"service_account": ""},
        _("Go on without the account"),
        {"service_account": note},
        case.console("iam-admin/serviceaccounts"),
        _("Open the service accounts"),
    )


def permission(case: Case) -> Recipe | None:
    if case.on_engine:
        return None
    named = case.found.groupdict().get("permission") or ""
    role = next((role for start, role in ROLES.items() if named.startswith(start)), "")
    cause = _("The account of this project lacks the permission %(permission)s.") % {"permission": named}
    action = _("Give it the role %(role)s, then try again.") % {"role": role}
    if not role:
        cause = _("The account of this project lacks a permission.")
        action = _("Give it the roles Vertex AI User and, on the bucket, Storage Object User.")
    return Recipe(
        cause,
        action,
        button=again(case),
        link=case.console("iam-admin/iam"),
        link_words=_("Open the permissions"),
    )


def key_permission(case: Case) -> Recipe | None:
    """The service, not the caller, encrypts."""
    if case.on_engine:
        return None
    cause = _("The service may not use the encryption key.")
    action = _("Give its account the role %(role)s on the key, then try again.") % {
        "role": ROLES["cloudkms."]
    }
    page = case.console("security/kms/keyrings")
    return Recipe(cause, action, button=again(case), link=page, link_words=_("Open the keys"))


PAGES = {
    "SERVICE_DISABLED": "apis/library/aiplatform.googleapis.com",
    "BILLING_DISABLED": "billing/linkedaccount",
    "USER_PROJECT_DENIED": SETTINGS,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": SETTINGS,
}


def reason(case: Case) -> Recipe | None:
    """Google's own reasons, in the words that the rest of the site has for them, with the page that helps."""
    known = case.symptom.reason if case.symptom.reason in PAGES else case.found.lastgroup or ""
    if case.on_engine or known not in PAGES:
        return None
    title, _meaning, action = REASONS[known]
    page, words = case.console(PAGES[known]), _("Open the page that switches it on")
    if PAGES[known] == SETTINGS:
        page, words = SETTINGS, _("Open Settings")
    return Recipe(str(title), str(action), button=again(case), link=page, link_words=words)


def credentials(case: Case) -> Recipe | None:
    if case.on_engine:
        return None
    cause = _("Google Cloud refused the service account of this project.")
    action = _("An admin can renew the key in Settings.")
    return Recipe(cause, action, button=again(case), link=SETTINGS, link_words=_("Open Settings"))


def no_endpoint(case: Case) -> Recipe | None:
    """Trained and paid for: nothing has to be tuned again."""
    cause = _("The model is tuned and stored; only its endpoint could not be made.")
    action = _("Deploy it from Model Registry, where it is listed under its name.")
    page = case.console("vertex-ai/models")
    return Recipe(cause, action, link=page, link_words=_("Open Model Registry"))


def disk_full(case: Case) -> Recipe:
    cause = _("The disk of the engine is full.")
    return Recipe(cause, _("Free some space, then tune again."), button=again(case))


def trainer_died(case: Case) -> Recipe:
    cause = _("The training ended several times without getting further.")
    action = _("The line below tells how it ended last. Tune again once that is mended.")
    return Recipe(cause, action, button=again(case))


def cancelled(case: Case) -> Recipe:
    cause = _("This job was cancelled.")
    return Recipe(cause, _("Tune again starts over, with the same settings."), button=again(case))


def broke_down(case: Case) -> Recipe:
    cause = _("The service failed at this job; nothing in the request is known to be wrong.")
    action = (
        _("Tune again. If it fails once more, its log in the engine’s folder tells why.")
        if case.on_engine
        else _("Tune again. If it fails once more, give Google’s support the job’s name.")
    )
    return Recipe(cause, action, button=again(case))
