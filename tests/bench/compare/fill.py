"""`python -m tests.bench.compare.fill W1`: the runs as finished jobs of the local project; their keys."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import django


def main() -> None:
    django.setup()
    from metrics import point_store
    from metrics.models import Feed
    from metrics.point_store import Points
    from metrics.run import Run
    from metrics.summary import SUMMARY_METRICS, summarize_curves
    from studio.models import Project
    from tests.bench.compare.workload import WORKLOADS
    from tests.metrics.charts.curves import START, create_dataset, make_remote_job

    workload, project = WORKLOADS[sys.argv[1]], Project.objects.get(slug="local")
    keys = []
    for name, curves in workload.curves():
        job = project.tuningjob_set.create(
            tuned_model_display_name=name,
            submission="created",
            name=f"projects/local/locations/us-central1/tuningJobs/{name}",
            base_model="studio-tiny",
            location="us-central1",
            state="JOB_STATE_SUCCEEDED",
            remote=make_remote_job("JOB_STATE_SUCCEEDED"),
            ended_at=datetime.fromtimestamp(START, UTC) + timedelta(seconds=workload.steps),
            validation=create_dataset(project),
        )
        found = {
            metric: Points.from_arrays(steps, START + steps, values)
            for metric, (steps, values) in curves.items()
        }
        job.summary = summarize_curves(
            point_store.merge_points(job.pk, found, whole=SUMMARY_METRICS), Run.from_job(job)
        )
        job.save()
        # Without a time at which it is due: there is no service to ask.
        Feed.objects.update_or_create(job=job, defaults={"due_at": None})
        keys.append(job.pk)
    sys.stdout.write(json.dumps(keys))


if __name__ == "__main__":
    main()
