"""Filters of the job list, and its sort menu."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from jobs.models import TuningJob
from studio.models import Project, Role
from tests.jobs.job_list.test_job_list import create_dataset, parse_row_names
from tests.jobs.job_list.test_job_list import make as make
from tests.jobs.job_list.test_job_list import page as page

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def parse_facet(html: str, key: str) -> list[str]:
    """Return the labels of a facet: its current value, then its choices."""
    found = re.search(rf'id="facet-{key}">(.*?)</details>', html, re.DOTALL)
    words = re.findall(r"<b>([^<]+)|item[^>]*>([^<]+)<", found[1]) if found else []
    return [(now or choice).strip() for now, choice in words]


def test_facets_filter_the_list_and_are_part_of_the_url(
    make: Callable[..., TuningJob],
    page: Callable[..., str],
    project: Project,
    person: Callable[..., User],
    tuner: User,
) -> None:
    one, two = (
        create_dataset(project, "gs://b/one.jsonl", "A"),
        create_dataset(project, "gs://b/two.jsonl", "B"),
    )
    other = person(Role.TUNER, "Zoë")
    make("a", training=one)
    make("b", training=two, base_model="gemini-2.5-flash")
    make("c", training=two, owner=other, state="JOB_STATE_FAILED")
    html = page()
    assert parse_facet(html, "base") == ["Any", "Any", "gemini-2.5-flash", "studio-tiny"]
    assert parse_facet(html, "dataset") == ["Any", "Any", "two.jsonl", "one.jsonl"]
    assert parse_facet(html, "owner") == ["Anyone", "Anyone", "Mine", "Zoë"]
    assert parse_row_names(page("?base=studio-tiny")) == ["c", "a"]
    assert parse_row_names(page(f"?dataset={two.pk}")) == ["c", "b"]
    assert parse_row_names(page("?owner=mine")) == parse_row_names(page(f"?owner={tuner.pk}")) == ["b", "a"]
    assert parse_row_names(page(f"?owner={other.pk}&dataset={two.pk}")) == ["c"]
    assert parse_row_names(page("?owner=nobody&dataset=x")) == ["c", "b", "a"]
    assert parse_facet(page(f"?owner={tuner.pk}"), "owner")[0] == "Mine"
    assert "No jobs match" in page("?base=none+like+this")


def test_a_facet_keeps_the_other_parameters_and_clearing_keeps_the_sort(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    for name in ("a", "b"):
        make(name, base_model=name)
    html = page("?sort=best&status=succeeded&base=a&q=a&page=2")
    assert 'href="?q=a&amp;sort=best&amp;status=succeeded&amp;base=b"' in html
    assert 'id="clear-filters" href="?sort=best"' in html
    search = html.partition('role="search"')[2].partition("</form>")[0]
    assert re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', search) == [
        ("sort", "best"),
        ("status", "succeeded"),
        ("base", "a"),
    ]
    assert "clear-filters" not in page("?sort=best")


def test_a_facet_with_one_value_is_hidden(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("a")
    html = page()
    assert [key for key in ("base", "dataset", "owner") if parse_facet(html, key)] == []
    assert parse_facet(page("?base=studio-tiny"), "base")[0] == "studio-tiny"


def test_segments_count_within_the_other_filters(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("one", base_model="x")
    make("two", base_model="x", state="JOB_STATE_FAILED")
    make("three", base_model="y")
    counted = re.findall(r'id="seg-(\w+)"[^>]*>[^<]*<span class="num">(\d+)<', page("?base=x"))
    assert counted == [("all", "2"), ("succeeded", "1"), ("failed", "1")]


def test_every_sort_order_can_be_chosen_and_reversed(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("one")
    html = page("?sort=left")
    assert parse_facet(html, "sort")[0] == "Time left"
    assert re.search(r'href="\?sort=-left"\s+aria-current="true"', html)
    for key in ("name", "status", "base", "best", "final", "progress", "duration"):
        assert re.search(rf'class="menu-item" href="\?sort=-?{key}"', html), key
    assert re.search(r'aria-sort="ascending">\s*<a id="sort-best"', page("?sort=best"))
