"""Members of a project: list, invite, remove, change roles, renew one-time links."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studio.models import AuditEntry, Invitation, Membership, Project, Role
from studio.people import invitations
from studio.people.access import Request, require_role
from studio.people.forms import MemberForm


@require_GET
@never_cache
@require_role(Role.VIEWER)
def members(request: Request, project: Project) -> HttpResponse:
    """Show the members; a one-time link is shown once, to the admin who has just created it."""
    link = request.session.pop("one_time_link", None)
    return render_members(request, project, MemberForm(), link)


def render_members(
    request: Request, project: Project, form: MemberForm, link: dict[str, str] | None
) -> HttpResponse:
    memberships = project.membership_set.select_related("user").order_by("user__first_name", "user__username")
    rows = [(each, invitations.can_renew_link(request.user, each.user, project)) for each in memberships]
    invited = project.invitation_set.select_related("invited_by").order_by("username")
    context = {"form": form, "rows": rows, "link": link, "roles": Role.choices, "invited": invited}
    return render(request, "studio/people/members.html", context)


@require_POST
@require_role(Role.ADMIN)
def add_member(request: Request, project: Project) -> HttpResponse:
    """Invite somebody by a link. The answer is the same whether or not there is an account of that name, and
    such an account gets nothing from it: somebody else may have created it."""
    form = MemberForm(request.POST)
    if form.is_valid() and (invitation := create_invitation(request, project, form)):
        show_link_once(request, invitation.username, invitations.create_invitation_link(invitation))
        return redirect("members", project.slug)
    return render_members(request, project, form, None)


def create_invitation(request: Request, project: Project, form: MemberForm) -> Invitation | None:
    """Return None, with the error in the form, for members and for those who are already invited."""
    username, role = form.cleaned_data["username"], form.cleaned_data["role"]
    with transaction.atomic():
        if project.membership_set.filter(user__username__iexact=username).exists():
            form.add_error("username", _("%(person)s is already a member.") % {"person": username})
            return None
        invitation, created = Invitation.objects.get_or_create(
            project=project, username=username, defaults={"role": role, "invited_by": request.user}
        )
        if not created:
            form.add_error("username", _("%(person)s is already invited.") % {"person": username})
            return None
        record_invitation(request, invitation, "member.invite")
    return invitation


def record_invitation(request: Request, invitation: Invitation, action: str) -> None:
    AuditEntry.record(
        action,
        actor=request.user,
        project=invitation.project,
        subject=invitation.username,
        role=invitation.role,
    )


def show_link_once(request: Request, username: str, url: str) -> None:
    request.session["one_time_link"] = {"username": username, "url": url}


@require_POST
@require_role(Role.ADMIN)
def renew_invitation(request: Request, project: Project, invitation: int) -> HttpResponse:
    """Create a new link; the earlier one ends."""
    held = get_object_or_404(project.invitation_set, pk=invitation)
    record_invitation(request, held, "member.invite")
    show_link_once(request, held.username, invitations.create_invitation_link(held))
    return redirect("members", project.slug)


@require_POST
@require_role(Role.ADMIN)
def withdraw_invitation(request: Request, project: Project, invitation: int) -> HttpResponse:
    with transaction.atomic():
        held = get_object_or_404(project.invitation_set.select_for_update(), pk=invitation)
        record_invitation(request, held, "member.withdraw")
        held.delete()
    messages.success(request, _("The invitation was withdrawn. Its link no longer works."))
    return redirect("members", project.slug)


@require_POST
@require_role(Role.ADMIN)
def change_role(request: Request, project: Project, membership: int) -> HttpResponse:
    with transaction.atomic():
        held = get_object_or_404(project.membership_set.select_for_update(), pk=membership)
        role = Role(request.POST["role"]) if request.POST.get("role") in Role.values else Role(held.role)
        if role != Role.ADMIN and is_last_admin(held):
            return refuse_last_admin(request, project)
        held.role = role
        held.save(update_fields=["role"])
        AuditEntry.record(
            "member.role", actor=request.user, project=project, subject=held.user.username, role=role
        )
    return redirect("members", project.slug)


@require_http_methods(["GET", "POST"])
@require_role(Role.ADMIN)
def remove_member(request: Request, project: Project, membership: int) -> HttpResponse:
    """Ask on GET, remove on POST."""
    if request.method == "GET":
        held = get_object_or_404(project.membership_set.select_related("user"), pk=membership)
        return render(request, "studio/people/remove_member.html", {"held": held})
    with transaction.atomic():
        held = get_object_or_404(project.membership_set.select_for_update(), pk=membership)
        if is_last_admin(held):
            return refuse_last_admin(request, project)
        held.delete()
        AuditEntry.record("member.remove", actor=request.user, project=project, subject=held.user.username)
    return redirect("members", project.slug)


def is_last_admin(membership: Membership) -> bool:
    """Whether nobody else is an admin. Locks the admins' rows, so that two cannot leave at once."""
    admins = membership.project.membership_set.select_for_update().filter(role=Role.ADMIN)
    return [each.pk for each in admins] == [membership.pk]


def refuse_last_admin(request: Request, project: Project) -> HttpResponse:
    messages.error(request, _("A project needs at least one admin. Make someone else an admin first."))
    return redirect("members", project.slug)


@require_POST
@require_role(Role.ADMIN)
def renew_link(request: Request, project: Project, membership: int) -> HttpResponse:
    """Create a new one-time link for somebody who has lost theirs, or their password."""
    held = get_object_or_404(project.membership_set.select_related("user"), pk=membership)
    if not invitations.can_renew_link(request.user, held.user, project):
        messages.error(
            request, _("Only an installation admin can do this for someone who has already joined.")
        )
        return redirect("members", project.slug)
    with transaction.atomic():
        invitations.revoke_links(held.user)
        AuditEntry.record("member.link", actor=request.user, project=project, subject=held.user.username)
    show_link_once(request, held.user.username, invitations.one_time_link(held.user))
    return redirect("members", project.slug)
