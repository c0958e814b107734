"""How people join: the first admin, one-time links, members of a project."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from studio.models import AuditEntry, Membership, Project, Role
from studio.people import invitations

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
GOOD = "quite a long one, 77"
Browser = Callable[[User], Client]
Person = Callable[..., User]


def create_link(username: str = "") -> str:
    out = StringIO()
    call_command("invite", "--admin", *(["--username", username] if username else []), stdout=out)
    return out.getvalue().strip()


def submit_join_form(link: str, client: Client | None = None, **fields: str) -> Any:
    given = {"name": "Mika Sato", "password": GOOD, "repeated": GOOD, **fields}
    return (client or Client()).post(link, given)


# ---- the first admin ----


@pytest.mark.parametrize("name", ["home", "sign_in", "new_project"])
def test_pages_return_503_until_an_admin_exists(name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 503
    assert "Open the link in the server log" in answer.content.decode()


def test_the_first_link_opens_the_site() -> None:
    link = create_link()
    browser = Client()
    assert "You’ll sign in as <b" in browser.get(link).content.decode()
    assert submit_join_form(link, browser).status_code == 302
    admin = User.objects.get()
    assert (admin.username, admin.first_name, admin.is_superuser) == ("admin", "Mika Sato", True)
    assert admin.check_password(GOOD)
    assert browser.get(reverse("new_project")).status_code == 200
    assert Client().get(reverse("sign_in")).status_code == 200
    assert AuditEntry.objects.get().action == "person.join"


def test_site_stays_closed_until_invited_admin_joins() -> None:
    create_link()
    assert not invitations.admin_exists()
    assert Client().get(reverse("sign_in")).status_code == 503


def test_first_admin_becomes_admin_of_projects_without_admin() -> None:
    project = Project.objects.get_or_create(slug="local", defaults={"name": "Local engine"})[0]
    submit_join_form(create_link())
    assert project.membership_set.get().role == Role.ADMIN


def test_invite_prints_a_new_link_and_revokes_the_old_one() -> None:
    first, second = create_link(), create_link()
    assert User.objects.count() == 1
    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 200
    assert second.startswith("http://127.0.0.1:8000/join/")


def test_invite_makes_a_named_person_admin() -> None:
    assert Client().get(create_link("ana@example.com")).status_code == 200
    assert User.objects.get().username == "ana@example.com"


def test_invite_without_admin_says_where_people_are_added() -> None:
    with pytest.raises(CommandError, match="Members page"):
        call_command("invite")


# ---- one-time links ----


def test_a_link_works_once() -> None:
    link = create_link()
    submit_join_form(link)
    assert Client().get(link).status_code == 410
    assert (
        submit_join_form(link, password="another long one 88", repeated="another long one 88").status_code
        == 410
    )
    assert User.objects.get().check_password(GOOD)


def test_link_expires_after_three_days(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now()
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: now)
    link = create_link()
    monkeypatch.setattr(
        PasswordResetTokenGenerator, "_now", lambda self: now + timedelta(days=3, seconds=-60)
    )
    assert Client().get(link).status_code == 200
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: now + timedelta(days=3, seconds=60))
    assert Client().get(link).status_code == 410


@pytest.mark.parametrize("uid", ["MQ", "!!", "AAAA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_made_up_link_is_refused(uid: str) -> None:
    assert Client().get(reverse("join", args=[uid, "abc-def"])).status_code == 410


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"password": "short", "repeated": "short"}, "at least 12 characters"),
        ({"repeated": GOOD + "x"}, "The passwords don’t match."),
        ({"password": "Mika Sato 1234", "repeated": "Mika Sato 1234"}, "too similar"),
        ({"name": ""}, "This field is required."),
        ({"password": "passwordpassword", "repeated": "passwordpassword"}, "too easy to guess"),
        ({"password": "x" * 300, "repeated": "x" * 300}, "at most 256 characters"),
    ],
)
def test_a_bad_password_leaves_the_link_usable(fields: dict[str, str], told: str) -> None:
    link = create_link()
    answer = submit_join_form(link, **fields)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not User.objects.get().has_usable_password()
    assert submit_join_form(link).status_code == 302


def test_inactive_user_cannot_use_a_link() -> None:
    link = create_link()
    User.objects.update(is_active=False)
    assert Client().get(link).status_code == 410


# ---- members ----


@pytest.fixture
def admin(person: Person) -> User:
    return person(Role.ADMIN)


def members_url(project: Project) -> str:
    return reverse("members", args=[project.slug])


def add(browser: Client, project: Project, username: str, role: str = "tuner", follow: bool = True) -> str:
    address = reverse("add_member", args=[project.slug])
    return browser.post(address, {"username": username, "role": role}, follow=follow).content.decode()


def read_link(page: str) -> str:
    """The one-time link that the page shows: a second one, made a second later, would be another."""
    shown = re.search(r'data-copy="([^"]*/(?:join|invitation)/[^"]*)"', page)
    assert shown
    return shown[1]


def test_new_member_gets_a_link_that_is_shown_once(
    project: Project, admin: User, browser_of: Browser
) -> None:
    browser = browser_of(admin)
    link = read_link(add(browser, project, "dan@example.com"))
    assert link not in browser.get(members_url(project)).content.decode()
    newcomer = Client()
    assert submit_join_form(link, newcomer, name="Dan").status_code == 302
    assert newcomer.get(members_url(project)).status_code == 200
    entry = AuditEntry.objects.get(action="member.invite")
    assert (entry.actor, entry.subject, entry.detail) == (admin, "dan@example.com", {"role": "tuner"})
    joined = AuditEntry.objects.get(action="member.accept")
    assert (joined.actor, joined.detail["invited"]) == (User.objects.get(first_name="Dan"), "dan@example.com")


def test_existing_user_joins_with_their_own_account(
    project: Project, admin: User, person: Person, browser_of: Browser
) -> None:
    eve = person(None, "Eve")
    link = read_link(add(browser_of(admin), project, "eve", "viewer"))
    assert not project.membership_set.filter(user=eve).exists()
    browser = browser_of(eve)
    assert "Join as Eve" in browser.get(link).content.decode()
    assert browser.post(link).status_code == 302
    assert project.membership_set.get(user=eve).role == Role.VIEWER
    assert browser_of(person(None, "late")).post(link).status_code == 410


def test_a_name_taken_first_gets_nothing_from_an_invitation(
    project: Project, admin: User, person: Person, browser_of: Browser
) -> None:
    """Whoever invites a colleague's name first can create that account; nobody lets it in by its name."""
    impostor = person(None, "alice@example.com")
    link = read_link(add(browser_of(admin), project, "alice@example.com", "admin"))
    assert not project.membership_set.filter(user=impostor).exists()
    assert browser_of(impostor).get(members_url(project)).status_code == 404
    answer = submit_join_form(link, name="Alice")
    assert "An account named alice@example.com exists." in answer.content.decode()
    impostor.refresh_from_db()
    assert impostor.first_name == "" and impostor.check_password("long enough to pass")
    alice = person(None, "alice")
    browser_of(alice).post(link)
    assert set(project.membership_set.values_list("user", flat=True)) == {admin.pk, alice.pk}


def test_inviting_does_not_tell_whether_a_name_exists(
    project: Project, admin: User, person: Person, browser_of: Browser
) -> None:
    person(None, "known")
    browser = browser_of(admin)

    def tell(name: str) -> str:
        page = add(browser, project, name).replace(name, "NAME")
        for changing in (
            r"/invitation/[^\s\"<]+",
            r"/invitations/\d+",
            r'value="[^"]{64}"|"X-CSRFToken": "[^"]+"',
        ):
            page = re.sub(changing, "", page)
        project.invitation_set.all().delete()
        return re.sub(r"<time.*?</time>", "", page)

    assert tell("known") == tell("nobody")


def test_a_new_link_of_an_invitation_ends_the_old_one_and_withdrawing_ends_it(
    project: Project, admin: User, browser_of: Browser
) -> None:
    browser = browser_of(admin)
    old = read_link(add(browser, project, "dan"))
    held = project.invitation_set.get()
    renewed = browser.post(reverse("renew_invitation", args=[project.slug, held.pk]), follow=True)
    new = read_link(renewed.content.decode())
    assert (Client().get(old).status_code, Client().get(new).status_code) == (410, 200)
    browser.post(reverse("withdraw_invitation", args=[project.slug, held.pk]))
    assert Client().get(new).status_code == 410
    assert AuditEntry.objects.filter(action="member.withdraw", subject="dan").exists()


def test_invitation_expires_after_three_days(
    project: Project, admin: User, browser_of: Browser, settings: Any
) -> None:
    link = read_link(add(browser_of(admin), project, "dan"))
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert Client().get(link).status_code == 410
    assert "Expired" in browser_of(admin).get(members_url(project)).content.decode()


def test_inviter_who_opens_the_link_keeps_it_for_its_addressee(
    project: Project, admin: User, browser_of: Browser
) -> None:
    link = read_link(add(browser_of(admin), project, "dan"))
    assert "already a member of this project" in browser_of(admin).post(link).content.decode()
    assert submit_join_form(link, name="Dan").status_code == 302


@pytest.mark.parametrize("token", ["x", "WzEsImEiXQ:1abc:sig", "\0", "a" * 3000])
def test_a_made_up_invitation_is_refused(token: str, admin_exists: User) -> None:
    assert Client().get(reverse("invitation", args=[token])).status_code in {400, 410}


def test_adding_a_member_twice_is_refused(project: Project, admin: User, browser_of: Browser) -> None:
    assert "is already a member" in add(browser_of(admin), project, admin.username)
    assert "Enter a valid username" in add(browser_of(admin), project, "a b")
    add(browser_of(admin), project, "dan")
    assert "dan is already invited" in add(browser_of(admin), project, "dan")
    assert project.membership_set.count() == project.invitation_set.count() == 1


def test_a_viewer_sees_the_list_and_no_buttons(project: Project, person: Person, browser_of: Browser) -> None:
    page = browser_of(person(Role.VIEWER)).get(members_url(project)).content.decode()
    assert "viewer" in page
    assert not any(word in page for word in ("Invite member", "New one-time link", "Remove"))


def change_role(browser: Client, project: Project, membership: Membership, role: str) -> None:
    browser.post(reverse("change_role", args=[project.slug, membership.pk]), {"role": role})


def test_a_role_is_changed(project: Project, admin: User, tuner: User, browser_of: Browser) -> None:
    held = project.membership_set.get(user=tuner)
    change_role(browser_of(admin), project, held, "admin")
    held.refresh_from_db()
    assert held.role == Role.ADMIN
    assert AuditEntry.objects.get(action="member.role").detail == {"role": "admin"}


@pytest.mark.parametrize("role", ["", "owner"])
def test_an_unknown_role_changes_nothing(
    role: str, project: Project, admin: User, tuner: User, browser_of: Browser
) -> None:
    held = project.membership_set.get(user=tuner)
    change_role(browser_of(admin), project, held, role)
    held.refresh_from_db()
    assert held.role == Role.TUNER


def test_last_admin_cannot_be_removed_or_demoted(
    project: Project, admin: User, tuner: User, browser_of: Browser
) -> None:
    browser, held = browser_of(admin), project.membership_set.get(user=admin)
    change_role(browser, project, held, "viewer")
    browser.post(reverse("remove_member", args=[project.slug, held.pk]))
    assert project.membership_set.get(user=admin).role == Role.ADMIN
    assert "needs at least one admin" in browser.get(members_url(project)).content.decode()
    change_role(browser, project, project.membership_set.get(user=tuner), "admin")
    change_role(browser, project, held, "viewer")
    assert project.membership_set.get(user=admin).role == Role.VIEWER


def test_removed_member_loses_access(project: Project, admin: User, tuner: User, browser_of: Browser) -> None:
    address = reverse("remove_member", args=[project.slug, project.membership_set.get(user=tuner).pk])
    assert "Remove tuner?" in browser_of(admin).get(address).content.decode()
    assert project.membership_set.filter(user=tuner).exists()
    browser_of(admin).post(address)
    assert browser_of(tuner).get(members_url(project)).status_code == 404
    assert AuditEntry.objects.get(action="member.remove").subject == "tuner"


def renew(browser: Client, project: Project, user: User) -> str:
    held = project.membership_set.get(user=user)
    return browser.post(reverse("renew_link", args=[project.slug, held.pk]), follow=True).content.decode()


def create_pending_user(username: str) -> User:
    """A member who has never signed in, as older versions created for an invitation."""
    user = User(username=username)
    user.set_unusable_password()
    user.save()
    return user


def test_link_is_renewed_for_user_who_never_joined(
    project: Project, admin: User, browser_of: Browser
) -> None:
    browser = browser_of(admin)
    dan = create_pending_user("dan")
    Membership.objects.create(project=project, user=dan)
    old = read_link(renew(browser, project, dan))
    new = read_link(renew(browser, project, dan))
    assert Client().get(old).status_code == 410
    assert Client().get(new).status_code == 200


def test_project_admin_cannot_take_over_an_account(
    project: Project, admin: User, tuner: User, admin_exists: User, browser_of: Browser
) -> None:
    """A link signs its holder in as that person, with all the person's roles elsewhere."""
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", project_id="elsewhere")
    pending = create_pending_user("pending")
    Membership.objects.create(project=project, user=pending)
    Membership.objects.create(project=elsewhere, user=pending, role=Role.ADMIN)
    Membership.objects.create(project=project, user=admin_exists)
    User.objects.filter(pk=tuner.pk).update(last_login=datetime.now().astimezone())
    for person in (tuner, pending, admin_exists):
        person.refresh_from_db()
        before = person.password
        assert "/join/" not in renew(browser_of(admin), project, person)
        person.refresh_from_db()
        assert person.password == before
    assert "/join/" in renew(browser_of(admin_exists), project, tuner)


# ---- sign-in ----


def test_fifth_wrong_password_locks_sign_in(tuner: User) -> None:
    browser, address = Client(), reverse("sign_in")
    for _attempt in range(4):
        assert browser.post(address, {"username": "tuner", "password": "wrong"}).status_code == 200
    locked = browser.post(address, {"username": "tuner", "password": "wrong"})
    assert locked.status_code == 429
    assert "Too many attempts" in locked.content.decode()
    right = browser.post(address, {"username": "tuner", "password": "long enough to pass"})
    assert right.status_code == 429


def test_sign_in_and_out(tuner: User) -> None:
    browser = Client()
    given = {"username": "tuner", "password": "long enough to pass", "next": reverse("home")}
    assert browser.post(reverse("sign_in"), given)["Location"] == reverse("home")
    assert browser.post(reverse("sign_out")).status_code == 302
    assert browser.get(reverse("home"))["Location"].startswith(reverse("sign_in"))


@pytest.mark.parametrize(
    ("language", "message"),
    [("en", "Wrong username or password."), ("ja", "ユーザー名またはパスワードが正しくありません。")],
)
def test_a_wrong_password_gets_a_short_message(tuner: User, language: str, message: str) -> None:
    given = {"username": "tuner", "password": "something else"}
    answer = Client().post(reverse("sign_in"), given, headers={"Accept-Language": language})
    assert message in answer.content.decode()


def test_sign_in_does_not_lead_to_another_site(tuner: User) -> None:
    given = {"username": "tuner", "password": "long enough to pass", "next": "https://elsewhere.example/"}
    assert Client().post(reverse("sign_in"), given)["Location"] == reverse("home")


def test_fragment_request_without_session_reloads_the_page(admin_exists: User) -> None:
    answer = Client().get(reverse("home"), headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"
