"""What docker-compose.yml runs: each command, as its image's user, with and without the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.containers import Containers, explain_impossibility
from tests.stack import Person, find_port, wait_until

pytestmark = pytest.mark.slow

STUDIO = ("web", "worker", "beat")
USER_ID = 10001
# A check takes 0.02 s, most of it Python itself; one that loads Django takes 0.8 s.
CHECK_SECONDS = 0.2
SETTINGS = {
    "VERTEX_PRICES": "gemini-2.5-flash=5.00",
    "VERTEX_PRICES_AS_OF": "2026-11-01",
    "VERTEX_HOSTS": "us-central1=https://vertex.googleapis.com",
    "CONCURRENT_JOBS": "4,my-project=9",
    "ALLOWED_HOSTS": "tuning.internal",
    "POLL_SECONDS": "1",
}
TELL = """
import json, django, google.auth
django.setup()
from django.conf import settings
print(json.dumps({
    "account": google.auth.default()[0].service_account_email,
    "prices": settings.PRICES.by_model,
    "limits": [settings.QUOTAS.usual, settings.QUOTAS.by_place["my-project"]],
    "hosts": settings.VERTEX_HOSTS,
    "allowed": "tuning.internal" in settings.ALLOWED_HOSTS,
    "database": settings.DATABASES["default"]["ENGINE"],
    "poll": settings.POLL_SECONDS,
}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volumes of both starts: the second one finds what the first one left."""
    if why := explain_impossibility():
        pytest.skip(why)
    return tmp_path_factory.mktemp("containers")


@pytest.fixture(scope="module")
def key_file(folder: Path) -> Path:
    """A service account's key of the right form, which no service knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    told = {
        "type": "service_account",
        "project_id": "my-project",
        "client_email": "tuner@my-project.example",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    file = folder / "key.json"
    file.write_text(json.dumps(told))
    file.chmod(0o444)
    return file


@pytest.fixture(scope="module", params=["", "engine"], ids=["without engine", "with engine"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def port() -> int:
    return find_port()


@pytest.fixture(scope="module")
def containers(profile: str, folder: Path, key_file: Path, port: int) -> Iterator[Containers]:
    given = {"COMPOSE_PROFILES": profile, "PORT": str(port), "GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}
    with Containers(folder, **given, **SETTINGS) as running:
        yield running


@pytest.fixture
def url(containers: Containers, port: int) -> str:
    return f"http://localhost:{port}"


def list_ours(containers: Containers) -> list[str]:
    return [name for name in (*STUDIO, "engine") if name in containers.running]


def test_healthz_says_that_every_part_answers(url: str, profile: str) -> None:
    parts = dict.fromkeys(["database", "broker", "worker", "beat", "disk"], "ok") | {
        "engine": "ok" if profile else "off"
    }
    wait_until(lambda: requests.get(f"{url}/healthz", timeout=60).json() == {"status": "ok", "parts": parts})


def test_the_engine_runs_with_its_profile_only(containers: Containers, profile: str) -> None:
    assert ("engine" in containers.running) == bool(profile)


def test_every_process_belongs_to_the_images_user(containers: Containers) -> None:
    for name in list_ours(containers):
        told = containers.running[name].read_processes("status")
        assert told, name
        assert all(re.search(rf"^Uid:\t{USER_ID}\t{USER_ID}\t", text, re.MULTILINE) for text in told.values())


def test_a_health_check_costs_little(containers: Containers) -> None:
    """The best of three, since this machine may be busy."""
    costs = {name: min(each.measure_check() for _ in range(3)) for name, each in containers.running.items()}
    assert max(costs.values()) < CHECK_SECONDS, costs


def test_prices_quotas_hosts_and_credentials_reach_web_and_worker(containers: Containers) -> None:
    for name in ("web", "worker"):
        told = containers.running[name].execute(
            ["env", "DJANGO_SETTINGS_MODULE=studio.settings", "python", "-c", TELL]
        )
        assert told.returncode == 0, told.stderr
        answer: dict[str, Any] = json.loads(told.stdout)
        assert answer == {
            "account": "tuner@my-project.example",
            "prices": {"gemini-2.5-flash": 5.0},
            "limits": [4, 9],
            "hosts": {"us-central1": "https://vertex.googleapis.com"},
            "allowed": True,
            "database": "django.db.backends.postgresql",
            "poll": 1.0,
        }


def test_the_studio_runs_without_pytorch(containers: Containers) -> None:
    """It is hidden there; no process has a file of it open all the same."""
    for name in STUDIO:
        assert containers.running[name].execute(["python", "-c", "import torch.nn"]).returncode == 1
        maps = containers.running[name].read_processes("maps")
        assert maps and not [text for text in maps.values() if "/torch/" in text], name


def test_no_secret_is_in_an_environment_or_a_log(containers: Containers, folder: Path) -> None:
    volumes = folder / "volumes"
    files = [volumes / "database-password" / "password", volumes / "state" / "secret_key"]
    if "engine" in containers.running:
        files.append(volumes / "engine-token" / "token")
    secrets = [file.read_text().strip() for file in files]
    assert all(len(secret) >= 32 for secret in secrets)
    for name, container in containers.running.items():
        texts = [*container.read_processes("environ").values(), container.log.read_text(errors="replace")]
        assert len(texts) > 1, name
        assert not [secret for secret in secrets for text in texts if secret in text], name


def test_the_database_asks_for_its_password(containers: Containers) -> None:
    asked = containers.running["web"].execute(
        ["python", "-c", "import psycopg; psycopg.connect('postgres://studio:studio@postgres/studio')"]
    )
    assert "password authentication failed" in asked.stderr


def test_a_link_leads_to_the_published_port(containers: Containers, url: str, profile: str) -> None:
    """PORT alone is set: the link of the first admin, and then of a second one, are at http://localhost:PORT."""
    name = f"admin-{profile or 'first'}"
    told = containers.running["web"].execute(["python", "manage.py", "invite", "--admin", "--username", name])
    link = told.stdout.strip()
    assert link.startswith(f"{url}/join/"), told
    person = Person(url)
    person.send(link, name="Mika Sato", password="a long enough password", repeated="a long enough password")
    assert person.get("/projects/new/").status_code == 200


def test_the_studio_shows_the_engine_its_token(containers: Containers, url: str, profile: str) -> None:
    if not profile:
        pytest.skip("asked with the engine only")
    address = "http://engine:8090/v1/projects/local/locations/us-central1/tuningJobs"
    plain = "import sys, urllib.request as u; u.urlopen(sys.argv[1])"
    assert "401" in containers.running["web"].execute(["python", "-c", plain, address]).stderr
    list_jobs = "import django; django.setup(); from studio.models import Project; "
    list_jobs += "print(list(Project.objects.get(slug='local').vertex().list_tuning_jobs('us-central1')))"
    command = ["env", "DJANGO_SETTINGS_MODULE=studio.settings", "python", "-c", list_jobs]
    told = containers.running["worker"].execute(command)
    assert told.stdout.strip() == "[]", told.stderr
