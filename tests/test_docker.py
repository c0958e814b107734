"""docker-compose.yml and Dockerfile name what exists, and pass on all settings. test_containers runs them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.compose import (
    COMPOSE,
    DOCKERFILE,
    FILE,
    Service,
    interpolate,
    iter_steps,
    read_services,
    read_stages,
)
from tests.paths import ROOT
from tests.studio.test_settings import CONTAINERS, ENGINE, GOOGLE, STUDIO

SERVICES = read_services({"COMPOSE_PROFILES": "engine"})
STAGES = read_stages()
OURS = [name for name, service in SERVICES.items() if service.stage]
READERS = ("prepare", "web", "worker", "beat")
"""The services that load the studio's settings."""
FIXED = {"STATE_DIR": "a volume, whatever this machine calls its folder"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIALS|_FILE$")


def list_commands() -> list[list[str]]:
    """Each command line that runs our code, health checks included."""
    commands = [SERVICES[name].command or list(STAGES[SERVICES[name].stage].command) for name in OURS]
    checks = [SERVICES[name].check[1:] for name in OURS if SERVICES[name].check]
    return [*commands, *checks, *(list(stage.command) for stage in STAGES.values() if stage.command)]


def find_source(stage: str, path: str) -> Path | None:
    """What the image holds at `path`, seen from its folder."""
    for sources, target in STAGES[stage].copies:
        for source in sources:
            inside = Path(target) if (ROOT / source).is_dir() else Path(target) / Path(source).name
            if Path(path).is_relative_to(inside):
                return ROOT / source / Path(path).relative_to(inside)
    return None


# ---- what runs ----
def test_every_process_of_make_run_has_a_service() -> None:
    lasting = {"web", "worker", "beat", "engine", "redis", "postgres"}
    assert set(SERVICES) == {"password", "prepare", *lasting}
    assert {name for name, service in SERVICES.items() if service.lasting} == lasting


def test_the_engine_is_a_profile() -> None:
    assert set(SERVICES) - set(read_services({})) == {"engine"}
    assert not [name for name, service in SERVICES.items() if "engine" in service.awaited]


@pytest.mark.parametrize("command", list_commands(), ids=lambda line: " ".join(line)[:60])
def test_each_command_exists(command: list[str]) -> None:
    match command:
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["python", "-I", "-S", script, *_]:
            found = [find_source(stage, script) for stage in ("studio", "engine")]
            assert all(file and file.is_file() for file in found)
        case [program, *_]:
            assert (Path(sys.executable).parent / program).exists()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name].image.partition(":")[2]
    assert re.match(r"\d+\.\d+", tag), f"{name} runs whatever {SERVICES[name].image} is today"


def test_the_base_image_is_pinned() -> None:
    parents = [rest.split()[0] for word, rest in iter_steps() if word == "FROM"]
    outside = [parent for parent in parents if parent not in STAGES]
    assert outside and all(re.fullmatch(r"python:3\.11\.\d+-\S+", parent) for parent in outside)


def test_what_lasts_restarts_has_a_check_and_a_log_that_ends() -> None:
    """What ends by itself is not restarted: it would run again and again."""
    for name, told in FILE["services"].items():
        if SERVICES[name].lasting:
            assert told["restart"] == "unless-stopped", name
            assert told["healthcheck"]["test"][0] == "CMD", name
            assert {"max-size", "max-file"} <= set(told["logging"]["options"]), name
        else:
            assert "healthcheck" not in told, name


def test_health_checks_of_ours_load_no_django() -> None:
    """test_container_health.py holds what the script loads."""
    checks = {name: SERVICES[name].check for name in OURS if SERVICES[name].check}
    assert set(checks) == {"web", "worker", "beat", "engine"}
    assert all(check[:5] == ["CMD", "python", "-I", "-S", "container_health.py"] for check in checks.values())


def test_named_volumes_are_declared() -> None:
    assert {volume for service in SERVICES.values() for volume in service.mounts.values()} == set(
        FILE["volumes"]
    )


def test_what_is_awaited_ends_or_has_a_check() -> None:
    for service in SERVICES.values():
        for other, condition in service.awaited.items():
            ends = condition == "service_completed_successfully"
            assert ends != SERVICES[other].lasting, f"{service.name} waits for {other}"
            assert ends or SERVICES[other].check


def test_only_web_publishes_a_port_and_on_loopback() -> None:
    assert {name for name, service in SERVICES.items() if service.ports} == {"web"}
    assert SERVICES["web"].ports == ["127.0.0.1:8000:8000"]


# ---- the images ----
@pytest.mark.parametrize("stage", ["studio", "engine"])
def test_an_image_runs_unprivileged_and_copies_existing_files(stage: str) -> None:
    assert STAGES[stage].user not in {"root", "0"}
    for sources, _target in STAGES[stage].copies:
        assert all((ROOT / source).exists() for source in sources), sources


def test_only_the_engines_image_has_the_engine_and_pytorch() -> None:
    assert all(SERVICES[name].stage == ("engine" if name == "engine" else "studio") for name in OURS)
    assert find_source("studio", "engine") is None and find_source("engine", "engine")
    assert not re.search(r"torch|engine/requirements", " ".join(STAGES["studio"].runs))
    assert "engine/requirements.txt" in " ".join(STAGES["engine"].runs)
    assert not re.search(r"^torch", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


def test_volumes_and_folders_of_the_images_agree() -> None:
    """A new volume takes over its owner from the folder in the image; without one it belongs to root."""
    made = " ".join(STAGES["studio"].runs)
    for name in OURS:
        assert all(re.search(rf"install [^&]*{path}(?: |$)", made) for path in SERVICES[name].mounts), name


# ---- settings ----
@pytest.mark.parametrize("setting", sorted({*STUDIO, *GOOGLE, "ENGINE_JOBS"} - set(FIXED)))
def test_each_setting_reaches_every_process_of_the_studio(setting: str) -> None:
    """Add it to `environment` in docker-compose.yml, or to FIXED with the reason."""
    for name in READERS:
        check_setting_arrives(read_services({setting: "/given/it"})[name], setting)


@pytest.mark.parametrize("setting", sorted(ENGINE))
def test_each_setting_of_the_engine_reaches_it(setting: str) -> None:
    check_setting_arrives(
        read_services({setting: "/given/it", "COMPOSE_PROFILES": "engine"})["engine"], setting
    )


def check_setting_arrives(service: Service, setting: str) -> None:
    """As its text, or, where it names a file, as the path at which this file is mounted."""
    there = service.environment[setting]
    if setting in GOOGLE or setting.endswith("_FILE"):
        assert service.secrets[there] == "/given/it", service.name
    else:
        assert "/given/it" in there, service.name


def test_no_other_variable_is_passed_on() -> None:
    passed = {variable for name in OURS for variable in SERVICES[name].environment}
    assert passed <= {*STUDIO, *GOOGLE, *ENGINE}
    used = set(re.findall(r"\$\{([A-Z_]+)", re.sub(r"#.*", "", COMPOSE)))
    assert used <= {*STUDIO, *GOOGLE, *ENGINE, *CONTAINERS} and set(CONTAINERS) <= used


@pytest.mark.parametrize(("profile", "engine"), [("", "False"), ("engine", "True")])
def test_the_studio_starts_with_what_nobody_gives(profile: str, engine: str, tmp_path: Path) -> None:
    """It arrives blank, or with its default; the profile's name switches the engine on."""
    environment = read_services({"COMPOSE_PROFILES": profile})["web"].environment | {
        "DATABASE_PASSWORD_FILE": "",
        "STATE_DIR": str(tmp_path),
        "PATH": "",
    }
    tell = "import studio.settings as s; print(s.ENGINE, s.BASE_URL, s.POLL_SECONDS, s.TIME_ZONE)"
    told = subprocess.run(
        [sys.executable, "-c", tell], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert told.stdout.split() == [engine, "http://localhost:8000", "5.0", "UTC"], told.stderr


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, False),
        ({"COMPOSE_PROFILES": "engine"}, True),
        ({"COMPOSE_PROFILES": "engine", "ENGINE": "off"}, False),
        ({"ENGINE_URL": "http://10.0.0.5:8090"}, True),
        ({"ENGINE_URL": "http://10.0.0.5:8090", "ENGINE": "off"}, False),
    ],
)
def test_the_studio_knows_whether_there_is_an_engine(given: dict[str, str], on: bool) -> None:
    assert (read_services(given)["web"].environment["ENGINE"] != "off") == on


def test_the_port_alone_makes_links_that_work() -> None:
    web = read_services({"PORT": "9000"})["web"]
    assert web.ports == ["127.0.0.1:9000:8000"]
    assert web.environment["BASE_URL"] == "http://localhost:9000"
    web = read_services({"PORT": "9000", "BASE_URL": "https://tuning.example.com"})["web"]
    assert web.environment["BASE_URL"] == "https://tuning.example.com"


# ---- secrets ----
def test_no_secret_has_a_default_or_lies_in_an_environment() -> None:
    for service in SERVICES.values():
        for variable, value in service.environment.items():
            if SECRET.search(variable):
                assert not value or re.match(r"/(run/)?secrets/", value), (
                    f"{service.name}: {variable}={value}"
                )
            assert urlsplit(value).password is None, f"{service.name}: {variable}={value}"
    assert "POSTGRES_PASSWORD" not in SERVICES["postgres"].environment


@pytest.mark.parametrize("setting", ["DATABASE_PASSWORD_FILE", "ENGINE_TOKEN_FILE"])
def test_both_sides_of_a_shared_secret_read_the_same_file(setting: str) -> None:
    for given in ({}, {setting: "/given/it"}):
        services = read_services({"COMPOSE_PROFILES": "engine", **given})
        path = services["web"].environment[setting]
        other = services["engine" if setting == "ENGINE_TOKEN_FILE" else "postgres"]
        assert path in [*other.command, *other.environment.values()]
        assert other.secrets.get(path, "") == given.get(setting, "")


def test_what_is_not_given_is_an_empty_file_and_is_not_named() -> None:
    """A device such as /dev/null can't be mounted everywhere."""
    files = {file for service in SERVICES.values() for file in service.secrets.values()}
    assert files == {"./secret_files/none"}
    assert (ROOT / "secret_files" / "none").read_bytes() == b""
    for service in SERVICES.values():
        named = [value for value in service.environment.values() if value.startswith("/run/secrets/")]
        assert not named, service.name


def test_created_secrets_lie_in_volumes_that_few_containers_mount() -> None:
    holders: dict[str, set[str]] = {}
    for service in SERVICES.values():
        for path, volume in service.mounts.items():
            if path.startswith("/secrets/"):
                holders.setdefault(volume, set()).add(service.name)
                assert (path in service.read_only) == (service.name not in {"password", "engine"}), (
                    service.name
                )
    assert holders == {
        "database-password": {"password", "postgres", *READERS},
        "engine-token": {"engine", *READERS},
    }


def test_git_and_images_leave_secret_files_out() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "secret_files/google.json", "secret_files/none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ignored.stdout.split() == ["secret_files/google.json"]
    assert "secret_files" in (ROOT / ".dockerignore").read_text().splitlines()


# ---- the reader of these tests ----
@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}-${B}", "one-"),
        ("${A:-two}", "one"),
        ("${B:-two}", "two"),
        ("${B:-${A:-three}}/", "one/"),
        ("${B:-${C:-${D:-four}}}", "four"),
        ("/${A:+run/}secrets", "/run/secrets"),
        ("/${B:+run/}secrets", "/secrets"),
        ("$$HOME", "$HOME"),
    ],
)
def test_variables_are_filled_in(text: str, filled: str) -> None:
    assert interpolate(text, {"A": "one"}) == filled


def test_the_dockerfile_has_no_step_that_is_not_read() -> None:
    words = set(re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE))
    assert words == {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "ARG", "USER", "VOLUME", "EXPOSE", "CMD"}
