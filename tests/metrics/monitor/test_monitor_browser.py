"""Charts in a real browser, under the site's own strict policy: drawn right, nothing refused or logged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from jobs.models import TuningJob
from metrics import point_store
from metrics.charts.controls import Controls
from metrics.charts.figures import build_figures
from metrics.models import Feed
from metrics.point_store import Points
from metrics.run import Run
from studio.models import Project
from tests.browser import open_watched_page
from tests.metrics.charts.curves import START, create_job_with_points, make_remote_job, make_series
from tests.metrics.charts.test_figures import traces_by_name
from tests.metrics.monitor.page_reader import Board
from tests.metrics.monitor.test_monitor import make_ended_job
from tests.studio.vertex.double import json_answer

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]

DRAWN = """name => {
  const box = document.querySelector(`[data-chart=${name}]`);
  if (!box.calcdata) return null;
  return Object.fromEntries(box._fullData.map((trace, n) => [trace.name, {
    visible: trace.visible, x: Array.from(trace.x || []), y: Array.from(trace.y || []),
    color: trace.line?.color, marks: box.calcdata[n].length}]));
}"""
RANGE = "name => document.querySelector(`[data-chart=${name}]`)._fullLayout.xaxis.range"


@pytest.fixture
def meant() -> tuple[str, ...]:
    """Words of the errors that a test provokes."""
    return ()


@pytest.fixture
def visit(
    chrome: Browser,
    live_server: LiveServer,
    tuner: User,
    browser_of: Callable[[User], Client],
    meant: tuple[str, ...],
) -> Iterator[Callable[..., Page]]:
    """visit(job, query) -> the job's page in a watched one, its loss chart drawn unless told."""
    session = browser_of(tuner).cookies["sessionid"].value
    with open_watched_page(chrome, meant=meant) as page:
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

        def go(job: TuningJob, query: str = "", drawn: bool = True) -> Page:
            page.goto(live_server.url + reverse("jobs:detail", args=[job.project.slug, job.pk]) + query)
            if drawn:
                page.wait_for_selector("[data-chart=loss].drawn .scatterlayer .trace")
            return page

        yield go


def read_chart(page: Page, chart: str = "loss") -> dict[str, Any]:
    return page.evaluate(DRAWN, chart) or {}


def read_x_range(page: Page, chart: str = "loss") -> list[float]:
    """The x range."""
    return page.evaluate(RANGE, chart)


def until(page: Page, look: Callable[[], Any], seconds: float = 120) -> None:
    """Waits from outside: a condition that the page itself evaluates is refused by its policy."""
    for _ in range(round(seconds * 10)):
        if look():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"not within {seconds} s")


def test_stored_run_is_drawn_without_csp_violation(visit: Callable[..., Page], project: Project) -> None:
    series = make_series()
    job = create_job_with_points(project, series)
    page = visit(job)
    expected = build_figures(series, Run.from_job(job), Controls())
    for chart in ("loss", "accuracy", "predictions"):
        page.wait_for_selector(f"[data-chart={chart}].drawn .scatterlayer .trace")
        found = read_chart(page, chart)
        for name, (x, y) in traces_by_name(expected[chart]).items():
            if name != "markers":
                assert (found[name]["x"], found[name]["y"]) == (x, y)
    expect(page.locator("[data-chart=loss] .annotation")).to_have_count(6)
    assert read_x_range(page) == [0, 564]
    size = page.locator("[data-chart=loss] .main-svg").first.bounding_box()
    assert size
    assert size["height"] == 364
    page.mouse.move(size["x"] + size["width"] / 2, size["y"] + size["height"] / 2)
    expect(page.locator("[data-chart=loss] .hoverlayer .legend")).to_contain_text("Train")


def test_a_spike_of_one_step_in_ten_thousand_is_drawn(visit: Callable[..., Page], project: Project) -> None:
    series = make_series(10_000)
    values = series[LOSS].values.copy()
    values[6543] = 9.75
    series[LOSS] = Points(series[LOSS].steps, series[LOSS].wall, values)
    page = visit(create_job_with_points(project, series), "?clip=off")
    raw = read_chart(page)["Train (raw)"]
    assert (raw["x"][raw["y"].index(9.75)], max(raw["y"])) == (6544, 9.75)


def test_nan_value_leaves_a_gap(visit: Callable[..., Page], project: Project) -> None:
    values = [3.0, 2.5, float("nan"), 2.0, 1.5]
    page = visit(
        create_job_with_points(project, {LOSS: Points.from_arrays(range(5), range(5), values)}),
        "?smoothing=0",
    )
    expect(page.locator("[data-chart=loss] .scatterlayer .js-line")).to_have_count(2)


def test_colours_follow_the_theme(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series()))
    light = read_chart(page)["Train"]["color"]
    page.locator("[data-theme-switch]").click()
    until(page, lambda: read_chart(page)["Train"]["color"] != light)
    token = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--train').trim()")
    assert (light, read_chart(page)["Train"]["color"]) == ("#1a73e8", token)


def test_zoom_and_hidden_series_survive_new_points(visit: Callable[..., Page], project: Project) -> None:
    job = create_job_with_points(project, make_series(), remote=make_remote_job(checkpoints=2))
    page = visit(job)
    page.locator("[data-group=eval]").click()
    box = page.locator("[data-chart=loss] .nsewdrag").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    page.mouse.up()
    until(page, lambda: read_x_range(page, "accuracy")[0] > 100)
    zoomed = read_x_range(page)
    assert zoomed == pytest.approx([141, 282], abs=3)
    point_store.merge_points(job.pk, {LOSS: Points.from_arrays([432], [START + 432], [0.1])})
    TuningJob.objects.update(remote=make_remote_job(checkpoints=3))
    until(page, lambda: read_chart(page)["Train (raw)"]["x"][-1] == 432)
    page.wait_for_selector("#monitor-facts >> text=3 of 4")
    assert read_x_range(page) == read_x_range(page, "accuracy") == zoomed
    assert read_chart(page)["Validation"]["visible"] is False
    page.mouse.dblclick(box["x"] + box["width"] * 0.8, middle)
    until(page, lambda: read_x_range(page)[1] == 564)
    until(page, lambda: read_x_range(page, "accuracy") == [0, 564])


def test_double_click_isolates_a_series(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series()))
    page.locator("[data-group=eval]").dblclick()
    until(page, lambda: read_chart(page)["Train"]["visible"] is False)
    assert read_chart(page)["Validation"]["visible"] is True
    page.locator("[data-group=eval]").dblclick()
    until(page, lambda: read_chart(page)["Train"]["visible"] is True)


def test_controls_change_the_url_and_redraw(visit: Callable[..., Page], project: Project) -> None:
    series = make_series()
    job = create_job_with_points(project, series)
    page = visit(job, "?clip=off")
    page.get_by_label("Smoothing").last.fill("0.5")
    page.locator("label", has_text="Epoch").click()
    until(page, lambda: read_x_range(page)[1] == 4)
    assert "smoothing=0.5" in page.url
    assert "axis=epoch" in page.url
    assert "clip=off" in page.url
    found = read_chart(page)["Train"]
    expected = traces_by_name(
        build_figures(series, Run.from_job(job), Controls.from_query({"smoothing": "0.5", "axis": "epoch"}))[
            "loss"
        ]
    )
    assert (found["x"], found["y"]) == expected["Train"]
    page.reload()
    page.wait_for_selector("[data-chart=loss].drawn")
    assert read_chart(page)["Train"]["y"] == expected["Train"][1]
    expect(page.locator("[data-link]")).to_have_attribute("data-copy", page.url)


def test_chip_shows_live_paused_and_ended(visit: Callable[..., Page], project: Project) -> None:
    job = create_job_with_points(project, make_series())
    page = visit(job)
    chip = page.locator("[data-chip]")
    expect(chip).to_contain_text("Live · ")
    page.locator("[data-pause]").click()
    expect(chip).to_have_text("Paused")
    TuningJob.objects.update(state="JOB_STATE_SUCCEEDED")
    Feed.objects.update(due_at=None)
    page.wait_for_timeout(4500)  # longer than it would take to ask again
    assert chip.inner_text() == "Paused"
    page.locator("[data-pause]").click()
    page.wait_for_selector("[data-chip] >> text=Ended")
    asked: list[str] = []
    page.on("request", lambda request: "/figures/" in request.url and asked.append(request.url))
    page.wait_for_timeout(5000)  # likewise
    assert asked == []


@pytest.mark.parametrize("meant", [("ERR_FAILED",)])
def test_lost_connection_warns_in_the_chip_and_recovers(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series()))
    chip = page.locator("[data-chip]")
    expect(chip).to_contain_text("Live · ")
    page.route(re.compile("/figures/"), lambda route: route.abort())
    expect(chip).to_have_class("st st-chip st-warn")
    page.unroute_all()
    expect(chip).to_have_class("st st-chip st-run")


@pytest.mark.parametrize("meant", [("reading 'broken'",)])
def test_mistake_in_the_page_itself_is_reported(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series()))
    page.evaluate("void (studioPlot.draw = () => undefined.broken)")
    with page.expect_event("pageerror") as error:
        page.get_by_label("Smoothing").last.fill("0.5")
    assert "reading 'broken'" in str(error.value)


def test_first_point_replaces_the_placeholder(visit: Callable[..., Page], project: Project) -> None:
    job = create_job_with_points(project, {}, remote=make_remote_job(checkpoints=0))
    page = visit(job, drawn=False)
    page.get_by_text("Charts appear when tuning starts.").first.wait_for()
    point_store.merge_points(job.pk, {LOSS: Points.from_arrays([1, 2], [START, START + 1], [4.0, 3.9])})
    page.wait_for_selector("[data-chart=loss].drawn .scatterlayer .trace")
    expect(page.get_by_text("Charts appear when tuning starts.").first).to_be_hidden()


def test_table_replaces_the_chart(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series(30)))
    panel = page.locator("[data-panel=loss]")
    panel.get_by_label("Show as table").click()
    panel.locator("table tbody tr").first.wait_for()
    expect(panel.locator("tbody tr")).to_have_count(30)
    expect(panel.locator("[data-chart]")).to_be_hidden()
    panel.get_by_label("Show as table").click()
    expect(panel.locator("[data-chart]")).to_be_visible()


@pytest.mark.parametrize("format", ["png", "svg"])
def test_chart_downloads_as_image(
    visit: Callable[..., Page], project: Project, tmp_path: Path, format: str
) -> None:
    page = visit(create_job_with_points(project, make_series()))
    panel = page.locator("[data-panel=loss]")
    panel.get_by_label("Download").click()
    with page.expect_download() as download:
        panel.locator(f"[data-image={format}]").click()
    download.value.save_as(tmp_path / f"loss.{format}")
    content = (tmp_path / f"loss.{format}").read_bytes()
    assert content.startswith(b"\x89PNG" if format == "png" else b"<svg")
    assert len(content) > 10_000


@pytest.mark.parametrize("axis", ["elapsed", "clock"])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_axis_draws_without_console_message(
    visit: Callable[..., Page], project: Project, axis: str, scale: str
) -> None:
    page = visit(
        create_job_with_points(project, make_series(), state="JOB_STATE_FAILED"),
        f"?axis={axis}&scale={scale}",
    )
    assert read_chart(page)["Train"]["marks"] == 431


def test_phone_needs_no_horizontal_scrolling(visit: Callable[..., Page], project: Project) -> None:
    job = create_job_with_points(project, make_series())
    page = visit(job)
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, lambda: page.evaluate("document.documentElement.scrollWidth") == 390)


def test_setting_the_better_default_checkpoint_updates_the_page(
    visit: Callable[..., Page], project: Project, board: Board
) -> None:
    """From the note's button through the dialog to the service; tag and note follow what it answers."""
    said = make_ended_job(default=2)
    job = create_job_with_points(project, make_series(), state="JOB_STATE_SUCCEEDED", remote=said)
    board.double.queue_answers(
        json_answer({"name": said["tunedModel"]["model"], "defaultCheckpointId": "3"}),
        json_answer({**make_ended_job(default=3), "name": job.name}),
    )
    page = visit(job)
    facts = page.locator("#monitor-facts")
    default = facts.locator("tr", has=page.locator(".tag-on:visible"))
    assert default.locator("td").first.inner_text() == "2"
    facts.get_by_role("link", name="Set checkpoint 3 as default").click()
    dialog = page.get_by_role("dialog", name="Make checkpoint 3 the default?")
    point_store.merge_points(job.pk, {EVAL: Points.from_arrays([430], [START + 430], [0.9])})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, lambda: read_chart(page)["Validation"]["x"][-1] == 430)
    assert dialog.is_visible(), "an update leaves an open dialog alone"
    dialog.get_by_role("button", name="Set as default").click()
    page.get_by_text("Checkpoint 3 is now the default.").wait_for()
    page.wait_for_selector("#monitor-facts")
    expect(default.locator("td").first).to_have_text("3", use_inner_text=True)
    expect(facts.get_by_role("link", name="Set checkpoint")).to_have_count(0)
    assert [asked.method for asked in board.double.asked] == ["PATCH", "GET"]


def test_signed_out_person_is_sent_to_sign_in(visit: Callable[..., Page], project: Project) -> None:
    page = visit(create_job_with_points(project, make_series(30)))
    page.context.clear_cookies()
    page.wait_for_url("**/sign-in/**", timeout=60_000)


def test_on_a_phone_the_checkpoints_fit_in_japanese(
    visit: Callable[..., Page], project: Project, live_server: LiveServer
) -> None:
    page = visit(
        create_job_with_points(
            project, make_series(), state="JOB_STATE_SUCCEEDED", remote=make_ended_job(default=2)
        )
    )
    page.context.add_cookies([{"name": "django_language", "value": "ja", "url": live_server.url}])
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    table = page.locator(".table-wrap", has=page.locator(".checkpoints"))
    expect(table.get_by_role("link", name="デフォルトに設定")).to_have_count(2)
    assert table.evaluate("node => node.scrollWidth - node.clientWidth") == 0
