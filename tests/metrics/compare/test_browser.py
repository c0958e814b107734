"""The compare page in a real browser, under the site's strict policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from metrics import point_store
from metrics.charts.downsample import smooth
from metrics.models import Series
from metrics.point_store import Points
from studio.models import Project
from tests.axe import grave_problems
from tests.bench.compare.workload import SPIKE, TRAIN_LOSS, W2
from tests.browser import open_watched_page
from tests.metrics.charts.curves import START
from tests.metrics.compare.runs import create_run, create_team, join_ids
from tests.metrics.monitor.test_monitor_browser import until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def visit(
    chrome: Browser,
    live_server: LiveServer,
    tuner: User,
    project: Project,
    browser_of: Callable[[User], Client],
) -> Iterator[Callable[..., Page]]:
    """visit(query, **options) -> the compare page, drawn."""
    session = browser_of(tuner).cookies["sessionid"].value
    pages: list[Any] = []

    def go(query: str, *, drawn: str = "eval_total_loss", theme: str = "", **options: Any) -> Page:
        context = open_watched_page(chrome, **options)
        page = context.__enter__()
        pages.append(context)
        cookies = [{"name": "sessionid", "value": session, "url": live_server.url}]
        if theme:
            cookies.append({"name": "theme", "value": theme, "url": live_server.url})
        page.context.add_cookies(cookies)
        page.goto(live_server.url + reverse("compare:page", args=[project.slug]) + query)
        if drawn:
            page.wait_for_selector(f"[data-chart={drawn}].drawn .scatterlayer .trace")
        return page

    yield go
    for context in pages:
        context.__exit__(None, None, None)


def state(page: Page, metric: str = "eval_total_loss") -> dict[str, Any]:
    """What is drawn: which runs are visible, and the ranges of both axes."""
    return page.evaluate(
        """metric => {
          const box = document.querySelector(`[data-chart=${metric}]`), plot = box._fullLayout;
          return {
            shown: Array.from(box.querySelectorAll(".scatterlayer .trace"))
              .filter(node => node.style.display !== "none" && node.__data__[0].trace.meta !== "star")
              .map(node => node.__data__[0].trace.legendgroup),
            x: Array.from(plot.xaxis.range), y: Array.from(plot.yaxis.range)};
        }""",
        metric,
    )


def test_spike_of_one_step_is_drawn(visit: Callable[..., Page], project: Project) -> None:
    """Run 0 of the benchmark's larger workload: 9.75 at one step of ten thousand."""
    steps, values = next(W2.curves())[1][TRAIN_LOSS]
    jobs = [create_run(project, "r8"), create_run(project, "r16")]
    Series.objects.filter(job=jobs[0]).delete()
    point_store.merge_points(jobs[0].pk, {TRAIN_LOSS: Points.from_arrays(steps, START + steps, values)})
    page = visit(f"?runs={join_ids(jobs)}", drawn="train_total_loss")
    drawn = page.evaluate(
        """() => { const one = document.querySelector("[data-chart=train_total_loss]")._fullData[0];
                   return Object.fromEntries(Array.from(one.x).map((x, at) => [x, one.y[at]])); }"""
    )
    assert len(drawn) < 1100
    assert drawn[str(W2.spike_step)] == SPIKE
    expect(page.locator("[data-panel=train_total_loss] [data-outside]")).to_contain_text("up to 9.750")


def test_link_reproduces_every_change_for_a_colleague(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}")
    page.locator(f"[data-run='{jobs[3].pk}'] [data-toggle]").click()
    page.get_by_label("Epoch", exact=True).check(force=True)
    page.locator("[data-controls] input[name=smoothing]").fill("0.6")
    page.get_by_label("Differences only").uncheck()
    until(page, lambda: "smoothing=0.6" in page.url and "axis=epoch" in page.url)
    until(page, lambda: state(page)["x"][1] < 20)
    page.evaluate(
        """() => Plotly.relayout(document.querySelector("[data-chart=eval_total_loss]"),
                                 {"xaxis.range[0]": 1, "xaxis.range[1]": 2.5})"""
    )
    until(page, lambda: "x=1:2.5" in page.url)
    page.locator(f"[data-run='{jobs[2].pk}'] .menu summary").click()
    page.get_by_role("link", name="Set as baseline").click()
    page.wait_for_url(re.compile(f"baseline={jobs[2].pk}"))
    page.wait_for_selector("[data-chart=eval_total_loss].drawn .scatterlayer .trace")
    mine = state(page)
    assert mine["shown"] == [f"r{job.pk}" for job in jobs if job is not jobs[3]]
    assert mine["x"] == [1, 2.5]
    link = page.locator("[data-link]").get_attribute("data-copy") or ""
    theirs = visit(link[link.index("?") :])
    assert state(theirs) == mine
    expect(theirs.locator("[data-controls] input[name=smoothing]")).to_have_value("0.6")
    expect(theirs.locator(f"[data-run='{jobs[2].pk}']").get_by_text("Baseline").first).to_be_visible()
    expect(theirs.get_by_label("Differences only")).not_to_be_checked()
    # and what the colleague does from there changes nothing here
    theirs.locator(f"[data-run='{jobs[0].pk}'] [data-toggle]").click()
    until(theirs, lambda: len(state(theirs)["shown"]) == 3)
    assert state(page) == mine


PATHS = """() => {
  const box = document.querySelector("[data-chart=train_total_loss]");
  const drawn = () => Array.from(box.querySelectorAll(".scatterlayer .js-line"));
  window.plotlys = () => drawn().map(path => path.getAttribute("d"));
  const { beginPath, moveTo, lineTo } = CanvasRenderingContext2D.prototype;
  window.aheads = [];
  Object.assign(CanvasRenderingContext2D.prototype, {
    beginPath() { window.aheads.push([]); beginPath.call(this); },
    moveTo(...place) { window.aheads.at(-1).push(...place); moveTo.apply(this, place); },
    lineTo(...place) { window.aheads.at(-1).push(...place); lineTo.apply(this, place); },
  });
}"""


COUNT_READ = """() => {
  window.curvesRead = 0;
  const { decodeNumbers } = studioPlot;
  studioPlot.decodeNumbers = packed => (window.curvesRead++, decodeNumbers(packed));
}"""


@pytest.mark.parametrize("held", [True, False])
def test_smoothed_lines_are_previewed_before_plotly_draws(
    visit: Callable[..., Page], project: Project, held: bool
) -> None:
    """Before the server's answer too; both then draw the very same lines."""
    jobs = [create_run(project, "r8") for _number in range(9)]
    page = visit("", drawn="")
    asked: list[str] = []
    values: list[Route] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/values/**", lambda route: values.append(route))
    page.goto(f"{page.url}?runs={join_ids(jobs)}")
    page.wait_for_selector("[data-chart=train_total_loss].drawn .scatterlayer .trace")
    until(page, lambda: values)
    page.evaluate(COUNT_READ)
    values.pop().continue_()
    until(page, lambda: page.evaluate("window.curvesRead >= 9"))
    waiting: list[Route] = []
    if held:
        page.route("**/figures/**", lambda route: waiting.append(route))
    page.evaluate(PATHS)
    before = page.evaluate("window.plotlys()")
    page.locator("[data-controls] input[name=smoothing]").fill("0.9")
    until(page, lambda: page.evaluate("window.aheads.length >= 18"))
    ahead = page.evaluate("window.aheads.slice(0, 18)")
    for route in waiting:
        route.continue_()
    until(page, lambda: page.evaluate("!document.querySelector('.ahead') && window.plotlys().length === 18"))
    after = page.evaluate("window.plotlys()")
    assert len(before) == 9
    assert ahead == [pytest.approx(line, abs=0.02) for line in places(after)]
    figures = [url for url in asked if "figures" in url and "smoothing=0.9" in url]
    assert len(waiting) == held and len(figures) == 1 and "metrics=train_total_loss&" in figures[0]


LOOKS = """() => document.querySelector("[data-chart=train_total_loss]")._fullData.map(one => [
  one.legendgroup, one.meta ?? "", one.opacity, one.mode, one.line.width, one.line.dash, one.line.color,
  Array.from(one.x), Array.from(one.y)])"""


def test_smoothed_lines_make_the_same_figure_as_the_server(
    visit: Callable[..., Page], project: Project
) -> None:
    query = f"?runs={join_ids([create_run(project, 'r8') for _number in range(9)])}"
    page = visit(query)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for weight in ("0.5", "0.9"):
        with page.expect_response(re.compile(rf"/figures/.*smoothing={weight}")):
            page.locator("[data-controls] input[name=smoothing]").fill(weight)
    until(page, lambda: page.evaluate("!document.querySelector('.ahead')"))
    assert all("&drawn=" in url for url in asked if "/figures/" in url)
    theirs = visit(f"{query}&smoothing=0.9", drawn="train_total_loss")
    until(page, lambda: page.evaluate(LOOKS) == theirs.evaluate(LOOKS))


def test_the_page_smooths_as_the_server_does(visit: Callable[..., Page], project: Project) -> None:
    page = visit(
        f"?runs={join_ids([create_run(project, 'r8'), create_run(project, 'r8')])}", drawn="train_total_loss"
    )
    values = [np.nan, *np.random.default_rng(7).normal(1, 0.4, 3000), np.inf, 0.0, np.nan, 2.0]
    for weight in (0.3, 0.9, 0.99):
        found = page.evaluate(
            """([values, weight]) => {
              const trace = {customdata: values.map((_value, at) => at)};
              return Array.from(studioSmooth.smoothLine(trace, values, weight));
            }""",
            [values, weight],
        )
        np.testing.assert_allclose(found, smooth(np.array(values), weight), rtol=1e-9)


def places(lines: list[str]) -> list[list[float]]:
    """In pixels."""
    return [[float(one) for one in re.findall(r"[-\d.e]+", line)] for line in lines]


def test_one_click_hides_and_a_double_click_isolates(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}")
    toggle = page.locator(f"[data-run='{jobs[1].pk}'] [data-toggle]")
    page.wait_for_selector("[data-chart=train_total_loss].drawn .scatterlayer .trace")
    toggle.click()
    until(page, lambda: f"r{jobs[1].pk}" not in state(page)["shown"])
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    until(page, lambda: len(state(page)["shown"]) == 5)
    toggle.dblclick()
    until(page, lambda: state(page)["shown"] == [f"r{jobs[1].pk}"])
    until(page, lambda: state(page, "train_total_loss")["shown"] == [f"r{jobs[1].pk}"])
    toggle.dblclick()
    until(page, lambda: len(state(page)["shown"]) == 5)


def test_unchanged_charts_are_not_redrawn(visit: Callable[..., Page], project: Project) -> None:
    """Smoothing changes the curves of training alone, also once a run is hidden."""
    jobs = [create_run(project, "r8") for _number in range(9)]
    page = visit(f"?runs={join_ids(jobs)}")
    page.evaluate(
        """() => {
          window.drawn = [];
          const { react } = Plotly;
          Plotly.react = (box, ...rest) => (window.drawn.push(box.dataset.chart), react(box, ...rest));
        }"""
    )
    page.locator(f"[data-run='{jobs[1].pk}'] [data-toggle]").click()
    page.locator("[data-controls] input[name=smoothing]").fill("0.9")
    until(page, lambda: "train_total_loss" in page.evaluate("window.drawn"))
    assert page.evaluate("window.drawn") == ["train_total_loss"]
    assert f"r{jobs[1].pk}" not in state(page)["shown"]


def test_colours_stay_when_a_run_is_taken_out(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}")
    colours = """() => Object.fromEntries(document.querySelector("[data-chart=eval_total_loss]")._fullData
        .filter(one => one.meta !== "star").map(one => [one.legendgroup, one.line.color]))"""
    before = page.evaluate(colours)
    page.locator(f"[data-run='{jobs[1].pk}'] .menu summary").click()
    page.get_by_role("link", name="Remove from comparison").click()
    page.wait_for_url(re.compile(f"runs={jobs[0].pk},,{jobs[2].pk}"))
    page.wait_for_selector("[data-chart=eval_total_loss].drawn .scatterlayer .trace")
    after = page.evaluate(colours)
    assert after == {key: colour for key, colour in before.items() if key != f"r{jobs[1].pk}"}


def test_pointer_and_arrow_keys_show_values_on_all_charts(
    visit: Callable[..., Page], project: Project
) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}")
    chart = page.locator("[data-chart=eval_total_loss]")
    size = chart.bounding_box()
    assert size
    page.mouse.move(size["x"] + size["width"] * 0.2, size["y"] + size["height"] * 0.7)
    reading = page.locator(".reading")
    expect(reading.locator(".reading-row")).to_have_count(5)
    values = [float(text) for text in reading.locator(".num").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    expect(page.locator(".cross")).to_have_count(2)
    page.mouse.move(5, 5)
    expect(reading).to_be_hidden()
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = reading.locator(".reading-head").inner_text()
    page.keyboard.press("ArrowRight")
    expect(reading.locator(".reading-head")).not_to_have_text(first)


def test_runs_are_added_by_search(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs[:2])}&axis=epoch")
    page.get_by_role("link", name="Add run").click()
    page.get_by_role("searchbox", name="Find runs").fill("lr2")
    page.locator("#found a", has_text="lr2").click()
    page.wait_for_url(re.compile(f"runs={join_ids(jobs[:3])}&axis=epoch"))
    page.wait_for_selector("[data-chart=eval_total_loss].drawn .scatterlayer .trace")


def test_without_javascript_everything_is_a_link(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}", drawn="", java_script_enabled=False)
    page.locator(f"[data-run='{jobs[1].pk}'] [data-toggle]").click()
    expect(page).to_have_url(re.compile(f"hidden={jobs[1].pk}"))
    page.get_by_role("link", name="All settings").click()
    expect(page.get_by_role("rowheader", name="Base model")).to_be_visible()
    page.get_by_role("link", name="Add run").click()
    expect(page.locator("#found-plain")).to_have_text("No more matching runs.")
    page.get_by_role("link", name="Effect of a setting").click()
    expect(page).to_have_url(re.compile("tab=effect"))


@pytest.mark.parametrize("tab", ["curves", "effect", "data"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_violation(
    visit: Callable[..., Page], project: Project, tab: str, theme: str
) -> None:
    jobs = create_team(project)
    drawn = {"curves": "eval_total_loss", "effect": "effect", "data": ""}[tab]
    page = visit(f"?runs={join_ids(jobs)}&tab={tab}", drawn=drawn, theme=theme)
    assert grave_problems(page) == []


def test_the_phone_never_scrolls_sideways(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}", viewport={"width": 390, "height": 844})
    until(page, lambda: page.evaluate("document.documentElement.scrollWidth") <= 390)


def test_effect_chart_hides_hidden_runs_and_zooms(visit: Callable[..., Page], project: Project) -> None:
    jobs = create_team(project)
    page = visit(f"?runs={join_ids(jobs)}&hidden={jobs[1].pk}&tab=effect", drawn="effect")
    assert state(page, "effect")["shown"] == [f"r{job.pk}" for job in jobs if job is not jobs[1]]
    page.evaluate(
        """() => Plotly.relayout(document.querySelector("[data-chart=effect]"),
                                 {"xaxis.range[0]": 0.5, "xaxis.range[1]": 1.5})"""
    )
    until(page, lambda: state(page, "effect")["x"] == [0.5, 1.5])
    page.locator(f"[data-run='{jobs[1].pk}'] [data-toggle]").click()
    until(page, lambda: len(state(page, "effect")["shown"]) == 5)
    expect(page.locator(".cross")).to_have_count(0)
