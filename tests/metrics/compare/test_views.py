"""The compare page as a person gets it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from studio.models import Project
from tests.metrics.compare.runs import runs_of, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def address(name: str, project: Project) -> str:
    return reverse(f"compare:{name}", args=[project.slug])


def test_x(browser: Client, project: Project) -> None:
    jobs = team(project)
    t = time.time()
    page = browser.get(address("page", project) + "?runs=" + runs_of(jobs))
    print(time.time() - t)
    t = time.time()
    f = browser.get(address("figures", project) + "?runs=" + runs_of(jobs))
    print(time.time() - t, len(f.content), len(page.content))
    assert page.status_code == 200
