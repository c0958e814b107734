"""A foreign object's address in every place where an address can stand finds nothing, and is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any
from urllib.parse import unquote

import pytest
from django import forms
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from jobs.datasets.models import Dataset
from jobs.models import Submission, TuningJob
from jobs.preflight import list_tuning_regions, model_obstacles
from jobs.tuned_models import owns_tuned_model
from studio.models import Project, Role
from studio.vertex import catalog
from studio.vertex.storage import OutsidePlaces
from tests import test_access as access
from tests.paths import ROOT
from tests.studio.vertex.double import FakeVertexServer, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
OUTSIDE = "outside this project’s places"
JOB = "1790000000000000001"
THEIRS = f"projects/elsewhere/locations/us-central1/tuningJobs/{JOB}"
FOREIGN = {
    "another project's own": "gs://tuning-data-elsewhere/datasets/a/train.jsonl",
    "what another project's row names": "gs://tuning-data/datasets/a/train.jsonl",
    "an adapter of another project": f"gs://studio-adapters/{JOB}/1/x.jsonl",
    "an adapter of nobody": "gs://studio-adapters/1790000000000000009/1/x.jsonl",
    "a longer name than the own": "gs://tuning-data-local-2/x.jsonl",
    "nobody's": "gs://nobody/x.jsonl",
}
OWN = "gs://tuning-data-local/mine/train.jsonl"


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def elsewhere(project: Project) -> Project:
    """Another project on the engine, with a dataset in the bucket that all once used, and a job."""
    other = Project.objects.create(
        slug="elsewhere", name="Elsewhere", project_id="elsewhere", regions=["us-central1"]
    )
    Dataset.objects.create(
        project=other,
        uri=FOREIGN["what another project's row names"],
        generation="7",
        size=1,
        source=Dataset.Source.UPLOAD,
    )
    model = THEIRS.replace("tuningJobs/", "models/")
    TuningJob.objects.create(
        project=other,
        submission=Submission.CREATED,
        state="JOB_STATE_SUCCEEDED",
        location="us-central1",
        base_model="studio-tiny",
        name=THEIRS,
        remote={"tunedModel": {"model": f"{model}@1"}},
    )
    return other


@pytest.fixture
def store(service: FakeVertexServer) -> FakeVertexServer:
    """A store that would have any object: whatever is asked of it is an error of the studio."""
    found = {"bucket": "b", "name": "n", "size": "1", "generation": "7"}
    service.otherwise = lambda asked: json_answer(found)
    return service


def list_asked(store: FakeVertexServer) -> list[str]:
    """What was asked of the store, readable; a list of base models isn't."""
    return [unquote(f"{asked.path}?{asked.query}") for asked in store.asked if "/storage/" in asked.path]


def name_bucket(uri: str) -> str:
    return uri.removeprefix("gs://").partition("/")[0]


def visit(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def parent(uri: str) -> str:
    return f"{uri.rpartition('/')[0]}/"


# ---- where an address is typed, browsed or pasted ----


def type_in_the_wizard(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.post(visit("locate", job), {"purpose": "training", "uri": uri})


def type_for_validation(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.post(visit("locate", job), {"purpose": "validation", "uri": uri})


def type_in_the_library(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.post(reverse("datasets:add", args=[job.project.slug]), {"uri": uri})


def browse_folder(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.get(visit("browse", job), {"choose": "file", "at": parent(uri)})


def browse_bucket(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.get(visit("browse", job), {"choose": "file", "at": name_bucket(uri)})


def browse_next_page(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.get(visit("browse", job), {"at": parent(uri), "page": "x"}, headers={"HX-Request": "true"})


def browse_for_a_new_folder(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.get(visit("browse", job), {"choose": "folder", "at": parent(uri), "new": "sub"})


def choose_upload_folder(browser: Client, job: TuningJob, uri: str) -> Any:
    return browser.post(visit("location", job), {"purpose": "training", "upload_to": parent(uri)})


def upload_into_folder(browser: Client, job: TuningJob, uri: str) -> Any:
    file = SimpleUploadedFile("train.jsonl", b"{}")
    values = {"purpose": "training", "upload_to": parent(uri), "file": file}
    return browser.post(visit("upload", job), values)


def begin_upload_into_folder(browser: Client, job: TuningJob, uri: str) -> Any:
    values = {"purpose": "training", "name": "train.jsonl", "size": 9, "upload_to": parent(uri)}
    return browser.post(visit("parts", job), values)


def upload_from_an_old_draft(browser: Client, job: TuningJob, uri: str) -> Any:
    """Its folder was chosen before there were places."""
    TuningJob.objects.filter(pk=job.pk).update(upload_to=parent(uri))
    begun = browser.post(visit("parts", job), {"purpose": "training", "name": "train.jsonl", "size": 2})
    TuningJob.objects.filter(pk=job.pk).update(upload_to=parent(uri))
    token = begun.json()["token"]
    headers = {"Upload-Token": token, "Content-Range": "bytes 0-1/2"}
    browser.put(visit("parts", job), b"{}", content_type="application/octet-stream", headers=headers)
    return browser.post(visit("upload", job), {"purpose": "training", "token": token})


def paste_request(browser: Client, job: TuningJob, uri: str) -> Any:
    spec = {"trainingDatasetUri": uri, "validationDatasetUri": uri}
    return paste(browser, job, {"baseModel": "studio-tiny", "supervisedTuningSpec": spec})


def paste_job_made_elsewhere(browser: Client, job: TuningJob, uri: str) -> Any:
    spec = {"trainingDatasetUri": uri}
    return paste(
        browser,
        job,
        {
            "name": THEIRS,
            "state": "JOB_STATE_SUCCEEDED",
            "baseModel": "studio-tiny",
            "supervisedTuningSpec": spec,
            "outputUri": uri,
            "gcsMetricsUri": uri,
        },
    )


def paste(browser: Client, job: TuningJob, body: Any) -> Any:
    return browser.post(reverse("jobs:paste", args=[job.project.slug]), {"request": json.dumps(body)})


WAYS = [
    *(type_in_the_wizard, type_for_validation, type_in_the_library),
    *(browse_folder, browse_bucket, browse_next_page, browse_for_a_new_folder),
    *(choose_upload_folder, upload_into_folder, begin_upload_into_folder, upload_from_an_old_draft),
    *(paste_request, paste_job_made_elsewhere),
]


def read_words(answer: Any) -> str:
    """The page, the JSON, or the messages that the next page will show."""
    messages = [str(message) for message in get_messages(answer.wsgi_request)]
    content = answer.json()["message"] if "json" in answer["Content-Type"] else answer.content.decode()
    return " ".join([content, *messages])


@pytest.mark.parametrize("uri", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_foreign_address_is_refused_in_words_without_a_request(
    browser: Client,
    draft: TuningJob,
    elsewhere: Project,
    store: FakeVertexServer,
    way: Callable[..., Any],
    uri: str,
) -> None:
    datasets = Dataset.objects.count()
    answer = way(browser, draft, uri)
    assert answer.status_code in {200, 302, 422}
    words = read_words(answer)
    assert OUTSIDE in words and name_bucket(uri) in words
    assert "An admin can share a place in the project’s settings." in words
    assert not list_asked(store)
    assert Dataset.objects.count() == datasets
    for job in TuningJob.objects.filter(project=draft.project):
        assert job.training in (None, draft.training) and job.validation is None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_own_address_is_asked_for(
    browser: Client, draft: TuningJob, elsewhere: Project, store: FakeVertexServer, way: Callable[..., Any]
) -> None:
    """So that the test above refuses for the address, and for nothing else."""
    way(browser, draft, OWN)
    if way not in {choose_upload_folder, begin_upload_into_folder}:
        assert any("tuning-data-local" in asked for asked in list_asked(store))
    draft.refresh_from_db()
    assert way is not choose_upload_folder or draft.upload_to == parent(OWN)


@pytest.mark.parametrize("way", [type_in_the_wizard, browse_folder, upload_into_folder, paste_request])
def test_shared_address_is_asked_for(
    browser: Client,
    draft: TuningJob,
    elsewhere: Project,
    store: FakeVertexServer,
    share: Callable[..., None],
    way: Callable[..., Any],
) -> None:
    share("gs://tuning-data-elsewhere/datasets/")
    way(browser, draft, FOREIGN["another project's own"])
    assert any("tuning-data-elsewhere" in asked for asked in list_asked(store))


@pytest.mark.parametrize("uri", FOREIGN.values(), ids=FOREIGN.keys())
def test_browsing_begins_in_the_own_folder_where_the_typed_one_is_foreign(
    browser: Client, draft: TuningJob, elsewhere: Project, store: FakeVertexServer, uri: str
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(upload_to=parent(uri))
    for query in ({"uri": uri}, {"choose": "folder", "upload_to": parent(uri)}):
        page = browser.get(visit("browse", draft), query).content.decode()
        assert re.findall(r'aria-current="location">([^<]*)', page) == ["tuning-data-local"]
    assert all("tuning-data-local" in asked for asked in list_asked(store))


def test_the_list_of_places_asks_for_no_buckets(
    browser: Client, draft: TuningJob, elsewhere: Project, store: FakeVertexServer, share: Callable[..., None]
) -> None:
    share("gs://team/a b/")
    page = browser.get(visit("browse", draft), {"at": ""}).content.decode()
    assert re.findall(r'hx-swap="outerHTML">([\w./ -]+)</a>\s*<span class="small t2">(\w*)', page) == [
        ("tuning-data-local", ""),
        ("cloud-samples-data", "Shared"),
        ("team/a b", "Shared"),
    ]
    assert not store.asked


def test_steps_that_cannot_be_opened_are_left_out(
    browser: Client, draft: TuningJob, store: FakeVertexServer, share: Callable[..., None]
) -> None:
    share("gs://team/deep/er/")
    page = browser.get(visit("browse", draft), {"at": "gs://team/deep/er/still/"}).content.decode()
    links = re.findall(r'href="[^"]*at=(gs[^"]*)"', page)
    assert {unquote(link) for link in links} == {"gs://team/deep/er/", "gs://team/deep/er/still/"}


# ---- what rows name ----


def test_exactly_the_version_that_a_row_names_stays_reachable(
    browser: Client, draft: TuningJob, store: FakeVertexServer
) -> None:
    """The draft's dataset lies in the bucket that all once used, version 1. The store has version 7."""
    dataset = draft.training
    assert dataset and dataset.uri == "gs://tuning-data/train.jsonl"
    storage = draft.project.storage()
    storage.check_object(dataset.uri, 1)
    for uri, generation in ((dataset.uri, 7), ("gs://tuning-data/train.jsonl.bak", 1)):
        assert not draft.project.storage_places().contains(uri, generation)
    with pytest.raises(OutsidePlaces):
        storage.stat(dataset.uri)
    store.asked.clear()
    answer = type_in_the_wizard(browser, draft, dataset.uri)
    assert OUTSIDE in answer.content.decode(), "another version now lies at its address"
    assert len(store.asked) == 1
    answer = browser.get(reverse("datasets:file", args=["local", dataset.pk]))
    assert any("generation', '1'" in asked for asked in list_asked(store))
    answer.close()


def test_a_deleted_row_takes_its_own_object_along(
    browser: Client, draft: TuningJob, store: FakeVertexServer
) -> None:
    dataset, draft.training = draft.training, None
    draft.save()
    assert dataset
    browser.post(reverse("datasets:delete", args=["local", dataset.pk]))
    assert [(asked.method, asked.path) for asked in store.asked] == [
        ("DELETE", "/storage/v1/b/tuning-data/o/train.jsonl")
    ]
    assert not draft.project.storage_places().contains(dataset.uri)


def test_adapters_belong_to_the_project_of_their_job(elsewhere: Project, project: Project) -> None:
    mine, theirs = project.storage_places(), elsewhere.storage_places()
    file = f"gs://studio-adapters/{JOB}/1/adapter_config.json"
    assert theirs.contains(file) and not mine.contains(file)
    assert elsewhere.storage().check_folder(f"gs://studio-adapters/{JOB}/1/") is None
    for name in ("gs://studio-adapters/", f"gs://studio-adapters/{JOB[:-1]}", "gs://studio-adapters/%/"):
        assert not theirs.contains_folder(name) and not theirs.is_named(name)
    Project.objects.filter(pk=elsewhere.pk).update(backend="google")
    elsewhere.refresh_from_db()
    assert not elsewhere.storage_places().contains(file), "only the engine has this bucket"


# ---- a pre-tuned model's address ----


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("projects/local/locations/us-central1/models/5", True),
        ("projects/local/locations/us-central1/models/5@2", True),
        ("projects/elsewhere/locations/us-central1/models/5", False),
        (f"projects/elsewhere/locations/us-central1/models/{JOB}", False),
        (f"projects/local/locations/us-central1/models/{JOB}", False),
        (f"projects/local/locations/us-central1/models/{JOB}@1", False),
        (f"projects/local/locations/us-central1/models/{JOB[:-1]}", True),
        (f"projects/local/locations/europe-west4/models/{JOB}", True),
        ("projects/123456789012/locations/us-central1/models/5", True),
        ("projects/987654321098/locations/us-central1/models/5", False),
        (f"projects/123456789012/locations/us-central1/models/{JOB}", False),
        ("models/5", False),
        ("", False),
    ],
)
def test_a_model_belongs_to_the_project_that_made_it(
    project: Project, elsewhere: Project, name: str, owned: bool
) -> None:
    TuningJob.objects.create(
        project=elsewhere, name="projects/987654321098/locations/us-central1/tuningJobs/3"
    )
    assert owns_tuned_model(project, name) is owned


def test_credentials_of_its_own_tune_any_model_further(
    project: Project, elsewhere: Project, tmp_path: Any
) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}")
    project.backend, project.credentials_file = "google", str(key)
    assert owns_tuned_model(project, f"projects/elsewhere/locations/us-central1/models/{JOB}")


def test_anothers_model_is_refused_in_the_form_and_before_the_start(
    browser: Client, draft: TuningJob, elsewhere: Project
) -> None:
    model = f"projects/local/locations/us-central1/models/{JOB}"
    values = {"source": "pre_tuned", "pre_tuned_model": "other", "other_model": model}
    more = {"base_model": "studio-tiny", "location": "us-central1"}
    answer = browser.post(visit("model", draft), {**values, **more})
    assert answer.status_code == 422
    assert "This model isn’t one of this project, local." in answer.content.decode()
    paste(
        browser,
        draft,
        {"preTunedModel": {"tunedModelName": model}, "supervisedTuningSpec": {}, "name": THEIRS},
    )
    pasted = TuningJob.objects.drafts().exclude(pk=draft.pk).get()
    assert pasted.pre_tuned_model == model
    assert "Choose a pre-tuned model of this project." in map(str, model_obstacles(pasted))
    browser.post(visit("start", pasted))
    pasted.refresh_from_db()
    assert pasted.is_draft


def test_a_region_of_another_project_is_not_offered(project: Project) -> None:
    """Without a region of its own for the model, a project is offered all, but none that is another's."""
    tiny = catalog.models("engine")[0]
    project.regions = ["mars-east1"]
    assert list_tuning_regions(project, tiny) == list(tiny.regions)
    theirs = Project.objects.create(slug="x", name="x", project_id="local", regions=[tiny.regions[0]])
    assert list_tuning_regions(project, tiny) == list(tiny.regions[1:]) or ["mars-east1"]
    theirs.regions = list(tiny.regions)
    theirs.save()
    assert list_tuning_regions(project, tiny) == ["mars-east1"]


# ---- every route ----


def list_parameters() -> Iterator[str]:
    """The name of everything that a page reads from a form or an address, and the fields of all forms."""
    read = re.compile(r'(?:POST|GET|asked|query|data)(?:\.get\(|\.getlist\(|\[)"(\w+)"')
    for app in ("studio", "jobs", "metrics"):
        for file in (ROOT / app).rglob("*.py"):
            yield from read.findall(file.read_text())
    for form in iter_subclasses(forms.BaseForm):
        if form.__module__.split(".")[0] in {"studio", "jobs", "metrics"}:
            yield from getattr(form, "base_fields", ())


def iter_subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from iter_subclasses(each)


def fill_parameters(uri: str) -> dict[str, Any]:
    """The address for every parameter, but for those without which a page doesn't look at the others."""
    spec = {"supervisedTuningSpec": {"trainingDatasetUri": uri, "validationDatasetUri": uri}}
    needed = {
        "purpose": "training",
        "name": "train.jsonl",
        "size": "9",
        "choose": "file",
        "for": "training",
        "at": parent(uri),
        "upload_to": parent(uri),
        "request": json.dumps({"baseModel": "studio-tiny", **spec}),
    }
    return {**dict.fromkeys(sorted({*list_parameters()} - {"token"}), uri), **needed}


def test_the_parameters_of_addresses_are_found() -> None:
    assert {"uri", "upload_to", "at", "request", "other_model", "bucket", "page"} <= {*list_parameters()}


ASKING = {"jobs:browse", "jobs:locate", "jobs:upload", "jobs:paste", "datasets:add"}
"""Routes that ask the store for the address which a person gives them."""


def visit_with_address(
    client: Client, route: access.Route, user: User, project: Project, uri: str, opened: ExitStack
) -> None:
    """Send the address in every parameter, by GET and POST, to a job and to a draft. Responses stay open, as
    the end of a stream closes the connection to the database."""
    makers = (access.make_arguments, make_draft_arguments) if route.name.startswith("jobs:") else ()
    for method, make in product(("get", "post"), makers or (access.make_arguments,)):
        parameters = fill_parameters(uri)
        if method == "post":
            parameters["file"] = SimpleUploadedFile("a.jsonl", b"{}")
        values = make(route, project, user)
        answer = getattr(client, method)(reverse(route.name, kwargs=values), parameters)
        opened.callback(answer.close)
        assert answer.status_code < 500, (method, values)


def make_draft_arguments(route: access.Route, project: Project, user: User) -> dict[str, Any]:
    values = access.make_arguments(route, project, user)
    return {**values, "pk": access.draft(project, user).pk} if "pk" in values else values


@pytest.mark.parametrize("route", access.GUARDED, ids=lambda route: route.name)
def test_no_route_asks_for_a_foreign_object(
    route: access.Route,
    project: Project,
    elsewhere: Project,
    store: FakeVertexServer,
    share: Callable[..., None],
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    """As an admin of the project, who may visit almost all. Its own objects lie in a shared place."""
    share("gs://data/")
    admin = person(Role.ADMIN)
    browser = browser_of(admin)
    with ExitStack() as opened:
        for kind in ("another project's own", "what another project's row names"):
            visit_with_address(browser, route, admin, project, FOREIGN[kind], opened)
        foreign = re.compile(r"/b/tuning-data(-elsewhere)?[/?]")
        assert not [asked for asked in list_asked(store) if foreign.search(asked)]
        assert not Dataset.objects.filter(project=project, uri__startswith="gs://tuning-data").exists()
        mine = TuningJob.objects.filter(project=project)
        assert not mine.filter(upload_to__startswith="gs://tuning-data").exists()
        project.refresh_from_db()
        assert (project.shared_places, project.bucket) == (["gs://data/"], "")
        if route.name in ASKING:
            visit_with_address(browser, route, admin, project, OWN, opened)
            assert any("/b/tuning-data-local/" in asked for asked in list_asked(store)), "the control"
