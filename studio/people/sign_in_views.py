"""Sign-in, sign-out and the one-time link of a person."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from studio.models import AuditEntry
from studio.people import invitations
from studio.people.forms import JoinForm, SignInForm
from studio.people.known_devices import remember_device
from studio.people.password_queue import queue_passwords


class SignInView(LoginView):
    """Django's view, which the browser remembers."""

    template_name = "studio/people/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        remember_device(response, form.get_user())
        return response


sign_in = login_not_required(queue_passwords(SignInView.as_view()))

sign_out = LogoutView.as_view()


@require_http_methods(["GET", "POST"])
@never_cache
@login_not_required
@queue_passwords
def join(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Set name and password with a one-time link, and sign in."""
    user = invitations.find_link_holder(uid, token)
    if user is None:
        return render_ended_link(request)
    form = JoinForm(user, request.POST or None)
    if not form.is_valid():
        return render(request, "studio/people/join.html", {"form": form, "joining": user})
    password = form.hash_password()
    with transaction.atomic():
        # Again, so that of two visits with one link only the first finds it valid.
        if invitations.find_link_holder(uid, token, lock=True) is None:
            return render_ended_link(request)
        user.password = password
        user.save()
        invitations.join_projects_without_admin(user)
        return sign_in_newcomer(request, user)


def render_ended_link(request: HttpRequest) -> HttpResponse:
    return render(request, "studio/people/link_ended.html", status=410)


def sign_in_newcomer(request: HttpRequest, user: User, to: str = "home", *args: str) -> HttpResponse:
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    AuditEntry.record("person.join", actor=user, subject=user.username)
    response = redirect(to, *args)
    remember_device(response, user)
    return response
