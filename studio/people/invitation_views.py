"""The link of an invitation: its holder joins the project, with their own account or with a new one."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from studio.models import AuditEntry, Invitation
from studio.people import invitations
from studio.people.forms import JoinForm
from studio.people.password_queue import queue_passwords
from studio.people.sign_in_views import render_ended_link, sign_in_newcomer


@require_http_methods(["GET", "POST"])
@never_cache
@login_not_required
@queue_passwords
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, join on POST: whoever is signed in as themselves, others with a new account."""
    invitation = invitations.find_invitation(token)
    if invitation is None:
        return render_ended_link(request)
    if request.user.is_authenticated:
        return join_with_account(request, request.user, invitation, token)
    user = User(username=invitation.username, email=invitation.username if "@" in invitation.username else "")
    form = JoinForm(user, request.POST or None)
    if form.is_valid() and (response := join_as_newcomer(request, form, token)):
        return response
    return render(
        request, "studio/people/join.html", {"form": form, "joining": user, "invitation": invitation}
    )


def join_with_account(request: HttpRequest, user: User, invitation: Invitation, token: str) -> HttpResponse:
    project = invitation.project
    member = project.membership_set.filter(user=user).exists()
    if request.method == "GET" or member:
        context = {"invitation": invitation, "member": member}
        return render(request, "studio/people/accept_invitation.html", context)
    with transaction.atomic():
        # Again, so that of two people with one link only the first joins.
        held = invitations.find_invitation(token, lock=True)
        if held is None:
            return render_ended_link(request)
        record_acceptance(held, user)
        invitations.accept_invitation(held, user)
    return redirect("project", project.slug)


def join_as_newcomer(request: HttpRequest, form: JoinForm, token: str) -> HttpResponse | None:
    """Create the account and sign in. Return None, with the error in the form, if its name is taken."""
    user, password = form.user, form.hash_password()
    try:
        with transaction.atomic():
            held = invitations.find_invitation(token, lock=True)
            if held is None:
                return render_ended_link(request)
            user.password = password
            if User.objects.filter(username__iexact=user.username).exists():
                raise IntegrityError
            user.save()
            record_acceptance(held, user)
            invitations.accept_invitation(held, user)
            return sign_in_newcomer(request, user, "project", held.project.slug)
    except IntegrityError:
        # The rest of the transaction could not fail in this way.
        taken = _(
            "An account named %(name)s exists. Sign in with it, or ask for an invitation with another name."
        )
        form.add_error(None, taken % {"name": user.username})
        return None


def record_acceptance(invitation: Invitation, user: User) -> None:
    AuditEntry.record(
        "member.accept",
        actor=user,
        project=invitation.project,
        subject=user.username,
        role=invitation.role,
        invited=invitation.username,
    )
