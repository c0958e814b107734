"""Which addresses a project may reach, and that its storage requests nothing else."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from studio.models import Project
from studio.projects.places import Places
from studio.vertex.errors import BadName, NotSent
from studio.vertex.storage import OutsidePlaces, Storage
from tests.paths import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
ELSEWHERE = "gs://elsewhere/train.jsonl"


@pytest.fixture
def create(admin_exists: User) -> Callable[..., Project]:
    """create("red", backend="google", …) -> a project."""

    def create_project(slug: str, **fields: Any) -> Project:
        facts = {"name": slug, "project_id": slug, "regions": ["us-central1"], **fields}
        return Project.objects.create(slug=slug, **facts)

    return create_project


@pytest.fixture
def write_key(tmp_path: Path) -> Callable[..., str]:
    """write_key("a", "tuner@acme") -> the path of a key file of that account."""

    def write_file(name: str, account: str) -> str:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"client_email": account}))
        return str(file)

    return write_file


def contains(project: Project, uri: str) -> bool:
    return project.storage_places().contains(uri)


# ---- the engine ----


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("gs://tuning-data-red/datasets/a/train.jsonl", True),
        ("gs://tuning-data-red/x", True),
        ("gs://cloud-samples-data/ai-platform/generative_ai/sft_train_data.jsonl", True),
        ("gs://tuning-data-blue/datasets/a/train.jsonl", False),
        ("gs://tuning-data-red-2/x.jsonl", False),
        ("gs://tuning-data-red.blue/x.jsonl", False),
        ("gs://tuning-data/datasets/a/train.jsonl", False),
        ("gs://tuning-data/tuning-data-red/x.jsonl", False),
        ("gs://studio-adapters/1790000000000000000/1/adapter_config.json", False),
        ("gs://nobody/x.jsonl", False),
        ("gs://tuning-data-red/../tuning-data-blue/x.jsonl", False),
        ("gs://tuning-data-red/%2e%2e/tuning-data-blue/x.jsonl", False),
        ("GS://tuning-data-red/x.jsonl", False),
        ("gs://TUNING-DATA-RED/x.jsonl", False),
        ("tuning-data-red/x.jsonl", False),
        ("gs://tuning-data-red/", False),
        ("", False),
    ],
)
def test_each_project_on_the_engine_has_its_own_bucket(
    create: Callable[..., Project], uri: str, inside: bool
) -> None:
    red, _blue = create("red"), create("blue")
    assert contains(red, uri) is inside


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        ("gs://tuning-data-red/", True),
        ("gs://tuning-data-red/new/deep/", True),
        ("gs://cloud-samples-data/", True),
        ("gs://tuning-data-r", False),
        ("gs://tuning-data-red", False),
        ("gs://tuning-data/", False),
        ("gs://studio-adapters/", False),
        ("gs://", False),
        ("", False),
    ],
)
def test_folders_are_held_against_the_same_places(
    create: Callable[..., Project], folder: str, inside: bool
) -> None:
    assert create("red").storage_places().contains_folder(folder) is inside


def test_own_buckets_differ_whatever_the_slug_and_are_bucket_names(create: Callable[..., Project]) -> None:
    slugs = ["data", "a" * 50, "a" * 63, "b_c", "ends-", "UPPER", "7"]
    owns = [create(slug).storage_places().own for slug in slugs]
    assert len({*owns}) == len(slugs)
    for slug, own in zip(slugs, owns, strict=True):
        assert contains(Project.objects.get(slug=slug), f"{own}x.jsonl"), own
        assert own not in {"gs://tuning-data/", "gs://studio-adapters/"}


@pytest.mark.parametrize("bucket", ["tuning-data", "tuning-data-blue", "studio-adapters"])
def test_a_setting_from_before_gives_no_bucket_of_all_or_of_another(
    create: Callable[..., Project], bucket: str
) -> None:
    """A first project could name the bucket that all used."""
    create("blue")
    red = create("red", bucket=bucket)
    assert red.storage_places().own == "gs://tuning-data-red/" and not contains(red, f"gs://{bucket}/x.jsonl")


def test_a_bucket_that_two_projects_name_has_a_prefix_for_each(create: Callable[..., Project]) -> None:
    red = create("red", bucket="team")
    assert red.storage_places().own == "gs://team/"
    blue = create("blue", bucket="team")
    for project, slug in ((red, "red"), (blue, "blue")):
        assert project.storage_places().own == f"gs://team/projects/{slug}/"
        assert not contains(project, "gs://team/x.jsonl")
    assert not contains(red, "gs://team/projects/blue/x.jsonl")
    create("cloud", backend="google", bucket="red-only")
    assert create("own", bucket="red-only").storage_places().own == "gs://red-only/", "another store"


def test_shared_places_are_added(create: Callable[..., Project]) -> None:
    red = create("red", shared_places=["gs://team/", "gs://data/sub folder/"])
    assert contains(red, "gs://team/x.jsonl") and contains(red, "gs://data/sub folder/x.jsonl")
    assert not contains(red, "gs://data/x.jsonl") and not contains(red, "gs://data/sub folder.jsonl")
    assert red.storage_places().shared_list == "gs://cloud-samples-data/, gs://team/, gs://data/sub folder/"


@pytest.mark.parametrize("place", ["", "gs://", "/", "gs://bucket", "../", "gs://../"])
def test_a_row_with_a_broken_place_shares_nothing(create: Callable[..., Project], place: str) -> None:
    assert not contains(create("red", shared_places=[place]), "gs://bucket/x.jsonl")


# ---- Google ----


def test_credentials_of_its_own_reach_whatever_they_may(
    create: Callable[..., Project], write_key: Callable[..., str]
) -> None:
    red = create("red", backend="google", credentials_file=write_key("red", "red@acme"))
    create("blue", backend="google", credentials_file=write_key("blue", "blue@acme"), bucket="blue")
    create("default", backend="google", bucket="default")
    assert red.storage_places().unlimited
    assert contains(red, ELSEWHERE) and contains(red, "gs://blue/x.jsonl")
    assert red.storage_places().contains_folder("gs://default/")
    assert not contains(red, "gs://blue/../x.jsonl"), "what is no address stays none"


def test_a_credentials_file_means_nothing_on_the_engine(
    create: Callable[..., Project], write_key: Callable[..., str]
) -> None:
    assert not contains(create("red", credentials_file=write_key("red", "red@acme")), ELSEWHERE)


@pytest.mark.parametrize("kind", ["the same file", "a link to it", "another key of the account"])
def test_credentials_that_two_projects_use_bind_both(
    create: Callable[..., Project], write_key: Callable[..., str], tmp_path: Path, kind: str
) -> None:
    key = write_key("red", "red@acme")
    link = tmp_path / "link.json"
    link.symlink_to(key)
    other = {"the same file": key, "a link to it": str(link)}.get(kind) or write_key("new", "red@acme")
    red = create("red", backend="google", credentials_file=key, bucket="red")
    assert contains(red, ELSEWHERE)
    blue = create("blue", backend="google", credentials_file=other, bucket="blue")
    for project, foreign in ((red, "gs://blue/x.jsonl"), (blue, "gs://red/x.jsonl")):
        assert not contains(project, ELSEWHERE) and not contains(project, foreign)
        assert contains(project, f"gs://{project.slug}/x.jsonl")
        assert contains(project, "gs://cloud-samples-data/x.jsonl")


def test_default_credentials_are_nobodys_own(
    create: Callable[..., Project], write_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    key = write_key("server", "server@acme")
    red = create("red", backend="google", credentials_file=key)
    blue = create("blue", backend="google", bucket="blue")
    assert contains(red, ELSEWHERE) and not contains(blue, ELSEWHERE)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key)
    assert not contains(red, ELSEWHERE), "it is the server's own key"


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", "[" * 100_000, '{"client_email": null}'])
def test_unreadable_key_files_are_told_apart_by_their_path(
    create: Callable[..., Project], tmp_path: Path, content: str
) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    for file in files:
        file.write_text(content)
    red = create("red", backend="google", credentials_file=str(files[0]))
    create("blue", backend="google", credentials_file=str(files[1]))
    create("green", backend="google", credentials_file="/no/such/file.json")
    assert red.storage_places().unlimited
    create("yellow", backend="google", credentials_file=str(files[0]))
    assert not red.storage_places().unlimited


def test_a_google_project_without_a_bucket_has_what_is_shared(create: Callable[..., Project]) -> None:
    red = create("red", backend="google")
    assert red.storage_places().folders == ("gs://cloud-samples-data/",) and not contains(red, ELSEWHERE)


# ---- the storage ----


def read_names(node: ast.AST) -> Iterator[str]:
    """The names of what is called in a module."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            yield ast.unparse(call.func)


CALLS: dict[str, Callable[[Storage, str, str], Any]] = {
    "buckets": lambda storage, bucket, name: storage.buckets(),
    "list": lambda storage, bucket, name: storage.list(bucket, "folder/"),
    "stat": lambda storage, bucket, name: storage.stat(f"gs://{bucket}/{name}"),
    "upload": lambda storage, bucket, name: storage.upload(io.BytesIO(b"x"), f"gs://{bucket}/{name}", "x"),
    "open": lambda storage, bucket, name: storage.open(f"gs://{bucket}/{name}", 7),
    "delete": lambda storage, bucket, name: storage.delete(f"gs://{bucket}/{name}", 7),
}
"""A call of each method that requests something."""
NO_REQUEST = {"check_object", "check_folder"}


@pytest.mark.parametrize("method", CALLS)
def test_the_storage_of_a_project_requests_nothing_outside(
    create: Callable[..., Project], settings: Any, method: str
) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:9"
    storage = create("red").storage()
    with pytest.raises(OutsidePlaces):
        CALLS[method](storage, "tuning-data-blue", "folder/train.jsonl")
    if method != "buckets":
        with pytest.raises(NotSent, match="could not be reached"):
            CALLS[method](storage, "tuning-data-red", "folder/train.jsonl")


def test_every_method_of_the_storage_is_held_to_the_places() -> None:
    methods = {name for name, value in vars(Storage).items() if callable(value) and name[0] != "_"}
    assert methods - NO_REQUEST == {*CALLS}, "add a call of the new method to CALLS"


def test_what_is_no_address_is_told_as_before(create: Callable[..., Project]) -> None:
    for call in (CALLS["stat"], CALLS["open"], CALLS["delete"]):
        with pytest.raises(BadName):
            call(create(f"red-{id(call)}").storage(), "..", "x.jsonl")


def test_only_a_project_makes_a_storage_and_only_a_dataset_pins_an_object() -> None:
    """So that no page gets one that reaches everything."""
    files = [file for app in ("studio", "jobs", "metrics") for file in (ROOT / app).rglob("*.py")]
    makers = {
        file.relative_to(ROOT).as_posix()
        for file in files
        if {"Storage", "ProjectStorage", "storage.Client"} & {*read_names(ast.parse(file.read_text()))}
    }
    assert makers == {"studio/models.py", "studio/vertex/storage.py"}
    pinners = {file.relative_to(ROOT).as_posix() for file in files if ".storage(pinned=" in file.read_text()}
    assert pinners == {"jobs/datasets/models.py"}


def test_nothing_is_asked_of_the_database_for_the_own_folder(
    create: Callable[..., Project], django_assert_num_queries: Any
) -> None:
    places = Places(create("red"), pinned=("gs://tuning-data/x.jsonl", 7))
    with django_assert_num_queries(0):
        assert places.contains("gs://tuning-data-red/x.jsonl")
        assert places.contains("gs://tuning-data/x.jsonl", 7)
