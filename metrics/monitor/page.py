"""The Monitor tab beside its curves: progress, age of the data, notes, and checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.lifecycle.stored_errors import deserialize
from jobs.models import TuningJob
from metrics import point_store
from metrics.charts.control_labels import axis_labels, chip_labels, scale_labels
from metrics.charts.controls import Axis, Controls, Scale
from metrics.diagnosis.analysis import analyze_curves
from metrics.diagnosis.messages import Note, build_notes
from metrics.metric_names import EVAL_LOSS, TRAIN_LOSS
from metrics.models import Feed
from metrics.monitor import checkpoints
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run
from metrics.summary import measure_rate
from studio.formats import join_sentences
from studio.pages.error_messages import explain_error
from studio.vertex import job_states
from studio.vertex.errors import PermissionDenied

STALE_AFTER = timedelta(seconds=60)
"""Without a read for this long, the worker is late by several polls."""
START_POLL_SECONDS, LIVE_POLL_SECONDS, LATE_POLL_SECONDS = 1, 4, 30
"""Seconds between two requests of the page: until the first point of a job that has just started, while the
run goes on, and while last points may still come."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The frame of one chart; the `tall` one has the others beside it."""

    name: str
    title: str
    help: str
    tall: bool = False


def panels() -> list[Panel]:
    loss = _("Average loss per token at each tuning step; lower is better.")
    return [
        Panel("loss", _("Loss"), loss, tall=True),
        Panel("accuracy", _("Token accuracy"), _("Share of answer tokens predicted correctly.")),
        Panel("predictions", _("Tokens predicted"), _("Answer tokens in each step.")),
    ]


@dataclass(frozen=True, slots=True)
class Monitor:
    """One job's curves as they are now, and when they were read."""

    job: TuningJob
    feed: Feed | None
    series: dict[str, Points]
    run: Run
    controls: Controls
    now: datetime

    @classmethod
    def for_job(cls, job: TuningJob, controls: Controls) -> Monitor:
        feed = Feed.objects.filter(job=job).first()
        return cls(
            job, feed, point_store.read_job_series(job.pk), Run.from_job(job), controls, timezone.now()
        )

    @property
    def poll_seconds(self) -> int | None:
        """Seconds until the page asks again; None once nothing more will come."""
        if not self.job.is_final:
            return START_POLL_SECONDS if self.job.is_starting and not self.series else LIVE_POLL_SECONDS
        return LATE_POLL_SECONDS if self.feed and self.feed.due_at else None

    @property
    def read_error(self) -> dict[str, Any]:
        """Why the last read failed, as stored; empty if it did not."""
        return self.feed.error if self.feed else {}

    @property
    def read_at(self) -> datetime | None:
        return self.feed.read_at if self.feed else None

    @property
    def evaluation(self) -> Points:
        return self.series.get(EVAL_LOSS, NO_POINTS)

    @property
    def latest_step(self) -> int:
        return max((int(found.steps[-1]) for found in self.series.values()), default=0)

    def version(self) -> str:
        """Return a digest that changes if, and only if, anything on the page changes."""
        said = (
            self.run,
            self.controls,
            self.placeholder(),
            self.poll_seconds,
            self.facts_digest(),
            translation.get_language(),
        )
        digest = hashlib.blake2b(repr((said, self.utc_offset())).encode(), digest_size=16)
        for metric, found in sorted(self.series.items()):
            digest.update(metric.encode())
            for column in found.pack():
                digest.update(column)
        return digest.hexdigest()

    def facts_digest(self) -> str:
        """Return a digest of what is below the charts."""
        said = repr((self.job.state, self.notes(), self.checkpoints()))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def utc_offset(self) -> float:
        """Return the reader's offset from UTC in seconds, for the clock axis."""
        distance = timezone.localtime(self.now).utcoffset()
        return distance.total_seconds() if distance else 0.0

    # ---- words ----

    def placeholder(self) -> str:
        """Return the sentence that is shown while there are no charts."""
        if self.series:
            return ""
        if self.read_error:
            return self._read_error_note().title
        if self.job.is_final:
            return _("This run ended before any data was recorded.")
        return _("Charts appear when tuning starts.")

    def progress(self) -> str:
        if not self.latest_step:
            return ""
        if not self.run.steps:
            return _("Step %(step)s") % {"step": f"{self.latest_step:,}"}
        done = _("Step %(step)s of %(steps)s") % {
            "step": f"{self.latest_step:,}",
            "steps": f"{self.run.steps:,}",
        }
        return " · ".join(filter(None, [done, self.format_time_left()]))

    def format_time_left(self) -> str:
        """Return the time left at the present rate; empty if it is not known."""
        pace = measure_rate(self.series.get(TRAIN_LOSS, NO_POINTS))
        if self.job.is_final or not pace or not self.run.steps or self.latest_step >= self.run.steps:
            return ""
        minutes = round((self.run.steps - self.latest_step) / pace / 60)
        if not minutes:
            return _("less than a minute left")
        if minutes < 120:
            return ngettext("about %(n)d min left", "about %(n)d min left", minutes) % {"n": minutes}
        return _("about %(n)d h left") % {"n": round(minutes / 60)}

    def axes(self) -> list[tuple[Axis, str]]:
        """Return the units of the x axis; epochs only if their length is known."""
        return [found for found in axis_labels() if found[0] != Axis.EPOCH or self.run.steps_per_epoch]

    def scales(self) -> list[tuple[Scale, str]]:
        return scale_labels()

    @property
    def plain_smoothing(self) -> float:
        return Controls().smoothing

    def script_labels(self) -> str:
        """Return the texts of the page's script as JSON."""
        return json.dumps(chip_labels(), ensure_ascii=False)

    # ---- notes ----

    def notes(self) -> list[Note]:
        return [*self._iter_read_notes(), *self._iter_end_notes(), *self._analysis_notes()]

    def _iter_read_notes(self) -> Iterator[Note]:
        if self.read_error:
            yield self._read_error_note()
        elif not self.job.is_final and self.read_at and self.now - self.read_at > STALE_AFTER:
            text = _("No updates since then; the background worker may have stopped.")
            yield Note(self._format_read_time(), text, icon="schedule")
        if self.feed and self.feed.left_out:
            yield describe_left_out(self.feed.left_out)

    def _read_error_note(self) -> Note:
        """Return why the last read failed; a missing permission is explained, since it does not affect
        tuning."""
        error = deserialize(self.read_error)
        banner = explain_error(error, on_engine=self.job.project.on_engine)
        if isinstance(error, PermissionDenied):
            text = _(
                "The service denied access. This project’s account needs the Vertex AI User role to read "
                "TensorBoards and metadata stores. Tuning isn’t affected."
            )
            return Note(_("Metrics can’t be read."), text, machine=banner.machine)
        title = self._format_read_time() if self.series else _("Metrics couldn’t be read yet.")
        return Note(title, f"{banner.title} {banner.meaning}", icon="cloud_off", machine=banner.machine)

    def _format_read_time(self) -> str:
        return _("Data as of %(time)s.") % {"time": format_moment(self.read_at) if self.read_at else "–"}

    def _iter_end_notes(self) -> Iterator[Note]:
        again = _("Tune again")
        where = {"step": f"{self.latest_step:,}"}
        kept = _("Data up to that step is saved.") if self.series else ""
        if self.job.state == job_states.CANCELLED and self.series:
            yield Note(_("Cancelled at step %(step)s.") % where, kept, "", "do_not_disturb_on", again)
        elif self.job.state in (job_states.FAILED, job_states.EXPIRED) and self.series:
            yield Note(_("Failed at step %(step)s.") % where, kept, "note-bad", "error", again)

    def _analysis_notes(self) -> list[Note]:
        found = analyze_curves(self.series, self.run, validated=self.job.validation_id is not None)
        return build_notes(found, over=self.run.over, settable=self.job.can_choose_default)

    # ---- checkpoints ----

    def checkpoints(self) -> list[checkpoints.CheckpointRow]:
        return checkpoints.build_checkpoint_rows(self.run, self.evaluation)

    def checkpoint_words(self) -> str:
        """Return how many checkpoints there are, and of how many if that is known."""
        count = len(self.run.checkpoints)
        if self.job.export_last_checkpoint_only:
            return _("only the last one is saved")
        if self.run.epochs and self.run.epochs < 10:
            return _("%(n)d of %(all)d · one at the end of each epoch") % {"n": count, "all": self.run.epochs}
        return str(count or "")


def describe_left_out(counts: Mapping[str, int]) -> Note:
    """Say how many curves and points of the last read are missing, since they can't be read."""
    curves, points = counts.get("", 0), sum(n for metric, n in counts.items() if metric)
    told = [
        ngettext("%(n)s curve is left out.", "%(n)s curves are left out.", curves) % {"n": f"{curves:,}"}
        if curves
        else "",
        ngettext("%(n)s point is left out.", "%(n)s points are left out.", points) % {"n": f"{points:,}"}
        if points
        else "",
    ]
    return Note(_("Some of the service’s metrics can’t be read."), join_sentences(told))


def format_moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    today = local.date() == timezone.localtime().date()
    return formats.date_format(local, "H:i" if today else _("j M Y, H:i"))
