"""Whose wrong passwords lock whom out, which passwords are accepted, and how many are hashed at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import F
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from studio.models import Role
from studio.people import password_queue
from studio.people.client_address import find_client_address, parse_networks
from studio.people.known_devices import COOKIE
from studio.people.password_validation import find_repeated_unit
from studio.people.sign_in_lock import ADDRESS_LIMIT, PERSON_LIMIT
from tests.stack import wait_until

RIGHT = "long enough to pass"
HOME, OFFICE, PROXY = "192.0.2.7", "198.51.100.20", "10.0.0.5"
LOCKED, WRONG, SIGNED_IN = 429, 200, 302


def try_password(
    username: str,
    password: str = "wrong",  # noqa: S107
    address: str = HOME,
    forwarded: str = "",
    browser: Client | None = None,
) -> int:
    """Return the status of an attempt: LOCKED, WRONG or SIGNED_IN."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    form = {"username": username, "password": password}
    return (
        (browser or Client()).post(reverse("sign_in"), form, headers=headers, REMOTE_ADDR=address).status_code
    )


def lock(username: str, **where: Any) -> None:
    assert [try_password(username, **where) for _attempt in range(5)] == [WRONG] * 4 + [LOCKED]


def sign_in_once(username: str) -> Client:
    """Return a browser in which the person signed in and out again."""
    browser = Client()
    assert try_password(username, RIGHT, browser=browser) == SIGNED_IN
    browser.post(reverse("sign_out"))
    return browser


def pass_time(minutes: int) -> None:
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=minutes))


@pytest.fixture
def viewer(person: Callable[..., User]) -> User:
    return person(Role.VIEWER)


# ---- who is locked out ----

lock_tests = pytest.mark.usefixtures("tuner", "viewer")


@pytest.mark.django_db
@pytest.mark.sql
@lock_tests
class TestLock:
    def test_wrong_passwords_lock_a_person_at_one_address_only(self) -> None:
        lock("tuner")
        assert try_password("tuner", RIGHT) == LOCKED
        assert try_password("tuner", RIGHT, address=OFFICE) == SIGNED_IN
        assert try_password("viewer", RIGHT) == SIGNED_IN
        pass_time(16)
        assert try_password("tuner", RIGHT) == SIGNED_IN

    def test_attempts_while_locked_do_not_prolong_it(self) -> None:
        lock("tuner")
        pass_time(14)
        assert try_password("tuner") == LOCKED
        pass_time(2)
        assert try_password("tuner", RIGHT) == SIGNED_IN

    def test_people_behind_a_trusted_proxy_count_apart(self, settings: Any) -> None:
        settings.TRUSTED_PROXIES = parse_networks("10.0.0.0/8")
        lock("tuner", address=PROXY, forwarded=HOME)
        assert try_password("tuner", RIGHT, address=PROXY, forwarded=OFFICE) == SIGNED_IN
        assert try_password("tuner", RIGHT, address=PROXY, forwarded=HOME) == LOCKED

    def test_made_up_addresses_are_not_believed(self, settings: Any) -> None:
        """Neither without a trusted proxy, nor to the left of what the proxy wrote."""
        for number in range(4):
            assert try_password("tuner", forwarded=f"203.0.113.{number}") == WRONG
        assert try_password("tuner", forwarded="203.0.113.9") == LOCKED
        settings.TRUSTED_PROXIES = parse_networks(PROXY)
        for number in range(4):
            assert try_password("viewer", address=PROXY, forwarded=f"203.0.113.{number}, {OFFICE}") == WRONG
        assert try_password("viewer", address=PROXY, forwarded=f"{HOME}, {OFFICE}") == LOCKED

    def test_many_names_from_one_address_are_limited(self, tuner: User) -> None:
        known = sign_in_once("tuner")
        told = [try_password(f"name {number}") for number in range(ADDRESS_LIMIT + 1)]
        assert told == [WRONG] * (ADDRESS_LIMIT - 1) + [LOCKED] * 2
        assert try_password("viewer", RIGHT) == LOCKED
        assert try_password("viewer", RIGHT, address=OFFICE) == SIGNED_IN
        assert try_password("tuner", RIGHT, browser=known) == SIGNED_IN

    def test_many_addresses_slow_strangers_and_not_the_person(self) -> None:
        known = sign_in_once("tuner")
        told = [
            try_password("tuner", address=f"203.0.113.{number % 20}") for number in range(PERSON_LIMIT + 1)
        ]
        assert told == [WRONG] * (PERSON_LIMIT - 1) + [LOCKED] * 2
        assert try_password("tuner", RIGHT, address=OFFICE) == LOCKED
        assert try_password("tuner", RIGHT, address=OFFICE, browser=known) == SIGNED_IN
        assert try_password("viewer", RIGHT, address=OFFICE) == SIGNED_IN
        pass_time(16)
        assert try_password("tuner", RIGHT, address=OFFICE) == SIGNED_IN

    def test_known_browser_is_locked_by_its_own_wrong_passwords(self) -> None:
        known = sign_in_once("tuner")
        lock("tuner", browser=known)
        assert try_password("tuner", RIGHT, address=OFFICE, browser=known) == LOCKED
        assert try_password("tuner", RIGHT, address=OFFICE) == SIGNED_IN

    @pytest.mark.parametrize("value", ["", "x", "a:b:c", "WyJ0dW5lciIsImEiXQ:1abc:sig"])
    def test_made_up_device_is_a_strangers(self, value: str) -> None:
        browser = Client()
        browser.cookies[COOKIE] = value
        lock("tuner", browser=browser)
        assert try_password("tuner", RIGHT) == LOCKED

    def test_device_of_somebody_else_is_a_strangers(self) -> None:
        browser = sign_in_once("viewer")
        lock("tuner", browser=browser)
        assert try_password("tuner", RIGHT) == LOCKED

    def test_name_longer_than_any_account_is_an_error_of_its_field(self) -> None:
        answer = Client().post(reverse("sign_in"), {"username": "x" * 300, "password": RIGHT})
        assert answer.status_code == WRONG
        assert "at most 150 characters" in answer.content.decode()
        assert not AccessAttempt.objects.exists()


@pytest.mark.django_db
def test_device_cookie_is_private(tuner: User) -> None:
    browser = Client()
    assert try_password("tuner", RIGHT, browser=browser) == SIGNED_IN
    cookie = browser.cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (reverse("sign_in"), True, "Lax")


# ---- addresses ----


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (HOME, "", HOME),
        (HOME, OFFICE, HOME),
        (PROXY, "", PROXY),
        (PROXY, OFFICE, OFFICE),
        (PROXY, f"{HOME}, {OFFICE}", OFFICE),
        (PROXY, f"{HOME}, {OFFICE}, 10.1.1.1", OFFICE),
        (PROXY, "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        (PROXY, f"{HOME}, unknown", PROXY),
        (PROXY, f"{HOME}, unknown, 10.1.1.1", "10.1.1.1"),
        (PROXY, f"{OFFICE}:40123", OFFICE),
        (PROXY, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
        (PROXY, "2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        (f"::ffff:{PROXY}", f"::ffff:{OFFICE}", OFFICE),
        ("fd00::1", OFFICE, OFFICE),
        ("", OFFICE, None),
        (PROXY, "9" * 5000, PROXY),
        (PROXY, "," * 5000, PROXY),
    ],
)
def test_client_address_is_what_a_trusted_proxy_saw(
    peer: str, forwarded: str, client: str | None, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = parse_networks("10.0.0.0/8, fd00::/8")
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})
    assert find_client_address(request) == client


@pytest.mark.parametrize("text", ["proxy", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8;fd00::/8"])
def test_wrong_networks_name_their_variable(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES: write addresses or networks"):
        parse_networks(text)


# ---- passwords ----


@pytest.mark.parametrize(
    "password",
    [
        *("passwordpassword", "PasswordPassword", "password password", "password1234", "password-2026!"),
        *(
            "qwertyuiop123456",
            "letmein12345678",
            "2026 password",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "abcabcabcabca",
        ),
        *(
            "123456789012",
            "2026-11-30 2027",
            "!!!!!!!!!!!!",
            "dragonmonkey",
            "iloveyouiloveyou",
            "football football",
        ),
    ],
)
def test_easy_password_is_refused(password: str) -> None:
    with pytest.raises(ValidationError, match="too easy to guess"):
        validate_password(password)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "quite a long one, 77",
            "long enough to pass",
            "correct horse battery staple",
            "もじれつのパスワードです",
        ),
        *("correct horse correct horse", "kq7-Zr92-mmPx", "tr0ub4dor&3xyz", "dragon monkey teapot lamp"),
    ],
)
def test_other_passwords_are_accepted(password: str) -> None:
    validate_password(password)


@pytest.mark.parametrize(
    ("text", "unit"), [("", ""), ("a", "a"), ("aa", "a"), ("abab", "ab"), ("ababa", "ab"), ("abcab", "abcab")]
)
def test_repeated_unit_is_the_shortest(text: str, unit: str) -> None:
    assert find_repeated_unit(text) == unit


# ---- many at once ----


class HeldHasher(PBKDF2PasswordHasher):
    """Hashes when the test lets it, and counts how many do at once."""

    algorithm = "held"
    iterations = 1
    go = threading.Event()
    inside = most = 0

    def encode(self, *args: Any, **kwargs: Any) -> str:
        HeldHasher.inside += 1
        HeldHasher.most = max(HeldHasher.most, HeldHasher.inside)
        HeldHasher.go.wait(120)
        HeldHasher.inside -= 1
        return super().encode(*args, **kwargs)


@pytest.fixture
def held_hasher(settings: Any) -> Iterator[type[HeldHasher]]:
    settings.PASSWORD_HASHERS = [f"{__name__}.HeldHasher", *settings.PASSWORD_HASHERS]
    yield HeldHasher
    HeldHasher.go.set()


def post_sign_in(url: str, told: list[requests.Response]) -> None:
    session = requests.Session()
    session.get(f"{url}/sign-in/", timeout=120)
    form = {
        "username": f"nobody {threading.get_ident()}",
        "password": "x",
        "csrfmiddlewaretoken": session.cookies["csrftoken"],
    }
    told.append(session.post(f"{url}/sign-in/", form, timeout=240))


def test_crowd_that_signs_in_waits_or_is_sent_away(
    admin_exists: User, live_server: LiveServer, held_hasher: type[HeldHasher]
) -> None:
    told: list[requests.Response] = []
    crowd = [threading.Thread(target=post_sign_in, args=[live_server.url, told]) for _each in range(24)]
    for one in crowd:
        one.start()
    wait_until(lambda: len(told) == 24 - password_queue.PLACES, 240)
    assert {answer.status_code for answer in told} == {503}
    assert "Too many people are signing in" in told[0].text and told[0].headers["Retry-After"] == "3"
    assert requests.get(f"{live_server.url}/sign-in/", timeout=120).status_code == 200
    held_hasher.go.set()
    for one in crowd:
        one.join(240)
    assert [answer.status_code for answer in told[-password_queue.PLACES :]] == [200] * password_queue.PLACES
    assert held_hasher.most == 1
