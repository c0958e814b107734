"""Fills a database with the code of commit 506e642, before the fields of migration jobs.0004 were renamed.

Frozen: it imports that commit's modules and runs in a checkout of it, never here (README.md says how).
"""

# ruff: noqa
from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
django.setup()

import numpy as np
from django.contrib.auth import get_user_model
from jobs.datasets import diff, leaks
from jobs.datasets.check import check
from jobs.datasets.models import Changes, Dataset, Overlap
from jobs.faults import kept
from jobs.models import Sweep, TuningJob
from jobs.spec import tuning_request
from jobs.talk.models import Conversation, Turn
from metrics import points
from metrics.collect import JUDGED, alerts, summarise
from metrics.models import Feed
from metrics.run import Run

from studio.models import AuditEntry, Membership, Project, Pulse
from studio.vertex import errors

NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)
PLACE = "projects/local/locations/us-central1"
SAMPLES = "jobs/datasets/samples"


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def stamp(minutes: float) -> str:
    return at(minutes).isoformat().replace("+00:00", "Z")


people = get_user_model().objects
admin = people.create_superuser("mika", "mika@example.com", "a long enough password", first_name="Mika")
tuner = people.create_user("佐藤", "", "a long enough password")
viewer = people.create_user("viewer", "", "a long enough password", is_active=False)
people.update(last_login=at(-60), date_joined=at(-9000))

local, _ = Project.objects.update_or_create(
    slug="local",
    defaults={
        "name": "Local engine",
        "backend": "engine",
        "project_id": "local",
        "regions": ["us-central1"],
        "bucket": "tuning-data",
    },
)
google = Project.objects.create(
    slug="team-red",
    name="Team “red” — チーム赤",
    backend="google",
    project_id="team-red-123",
    regions=["europe-west4", "us-central1"],
    bucket="team-red-data",
    credentials_file="/etc/studio/key.json",
    quota_project="billing-1",
)
for project, user, role in (
    (local, admin, "admin"),
    (local, tuner, "tuner"),
    (local, viewer, "viewer"),
    (google, tuner, "admin"),
):
    Membership.objects.create(project=project, user=user, role=role)


def read(name: str, lines: int) -> bytes:
    with open(f"{SAMPLES}/{name}.jsonl", "rb") as file:
        return b"".join(file.readlines()[:lines])


def dataset(project: Project, name: str, content: bytes, **fields: object) -> Dataset:
    Dataset.objects.bulk_create(
        [
            Dataset(
                project=project,
                uri=f"gs://{project.bucket}/{name}",
                generation=str(1764000000000000 + Dataset.objects.count()),
                crc32c="AAAAAA==",
                size=len(content),
                report=check([content], name=name).to_json(),
                checked_at=at(-500),
                **{"owner": tuner, "source": "upload", **fields},
            )
        ]
    )
    return Dataset.objects.latest("pk")


TRAIN, VALIDATION = read("banking77/train", 60), read("banking77/validation", 24)
BETTER = b"".join(TRAIN.splitlines(keepends=True)[5:]).replace(b"card", b"bank card", 3) + VALIDATION[:400]
train = dataset(local, "intents/train.jsonl", TRAIN, source="sample")
validation = dataset(local, "intents/validation.jsonl", VALIDATION, source="sample")
better = dataset(local, "intents/train-2.jsonl", BETTER, calibration={"studio-tiny": 1.0625})
split = dataset(
    local,
    "intents/train-held-out.jsonl",
    b"".join(TRAIN.splitlines(keepends=True)[:6]),
    source="derived",
    parent=train,
    derivation={"how": "held_out", "percent": 10, "seed": 0, "part": "validation"},
)
faulty = dataset(
    local, "faulty.jsonl", b'{"messages": []}\n\xff\xfe\n{"contents": []}\nnot json\n', owner=None
)
orders = dataset(google, "注文.jsonl", read("orders_ja/train", 30), source="existing", owner=admin)
unchecked = dataset(google, "unchecked.jsonl", b"", source="existing")
Dataset.objects.filter(pk=unchecked.pk).update(checked_at=None, report={})
Overlap.objects.create(
    training=train, validation=validation, found=leaks.find([TRAIN], [VALIDATION]).to_json()
)
Overlap.objects.create(
    training=better, validation=split, found=leaks.find([BETTER], [TRAIN[:2000]]).to_json()
)
Changes.objects.create(
    before=train, after=better, found=diff.diff(lambda: iter([TRAIN]), lambda: iter([BETTER])).to_json()
)

numbers = iter(range(1, 1000))
UNAVAILABLE = errors.VertexError("The service is unavailable.", code=503, status="UNAVAILABLE")
DENIED = errors.PermissionDenied(
    "Permission 'aiplatform.tuningJobs.create' denied", code=403, status="PERMISSION_DENIED", reason="IAM"
)
BAD = errors.BadRequest(
    "Invalid value",
    code=400,
    status="INVALID_ARGUMENT",
    violations=(errors.Violation("tuning_job.base_model", "Base model is not supported."),),
)
LOST = errors.OutcomeUnknown("The connection was cut.")


def job(name: str, submission: str, state: str = "", **fields: object) -> TuningJob:
    number = next(numbers)
    chosen = {
        "project": local,
        "owner": tuner,
        "tuned_model_display_name": name,
        "base_model": "studio-tiny",
        "location": "us-central1",
        "training": train,
        "submission": submission,
        "state": state,
        "submission_id": f"{number:032x}",
        **fields,
    }
    made = TuningJob(**chosen)
    if submission != "draft":
        made.request = tuning_request(made)
        made.submitted_at = at(number * 10 - 300)
    if submission == "created":
        made.name = f"{PLACE}/tuningJobs/{9000 + number}"
        made.attempt = 1
        made.seen_at = at(-1)
        final = state.endswith(("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"))
        made.ended_at = at(number * 10 - 280) if final else None
        made.remote = {
            "name": made.name,
            "state": state,
            "createTime": stamp(number * 10 - 299),
            **({"startTime": stamp(number * 10 - 298)} if state not in {QUEUED, PENDING} else {}),
            **({"endTime": stamp(number * 10 - 280)} if final else {}),
            **{key: made.request[key] for key in ("baseModel", "supervisedTuningSpec")},
            **made.remote,
        }
    made.save()
    TuningJob.objects.filter(pk=made.pk).update(
        created_at=at(number * 10 - 310), updated_at=at(number * 10 - 270)
    )
    return TuningJob.objects.get(pk=made.pk)


QUEUED, PENDING, RUNNING = "JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"
STATISTICS = {
    "supervisedTuningDataStats": {
        "tuningDatasetExampleCount": "60",
        "totalBillableTokenCount": "1843",
        "tuningStepCount": "300",
    }
}
MODEL = {
    "model": f"{PLACE}/models/77@1",
    "endpoint": f"{PLACE}/endpoints/77",
    "checkpoints": [
        {
            "checkpointId": str(number),
            "epoch": str(number),
            "step": str(100 * number),
            "endpoint": f"{PLACE}/endpoints/{74 + number}",
        }
        for number in (1, 2, 3)
    ],
}
job("", "draft", training=None)
job(
    "a full draft: “it's” 👩‍🔬 </script>",
    "draft",
    description='first line\nsecond: `id` "x" \\ \'',
    pre_tuned_model=f"{PLACE}/models/77@1",
    pre_tuned_checkpoint="2",
    epoch_count=3,
    adapter_size=8,
    learning_rate_multiplier=0.1,
    export_last_checkpoint_only=True,
    labels={"team": "red", "städte": "köln"},
    service_account="tuner@team-red-123.iam.gserviceaccount.com",
    kms_key_name="projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
    validation_enabled=True,
    validation=validation,
    upload_to="gs://tuning-data/mine/",
)
job("a colleague's draft", "draft", owner=admin, project=google, location="europe-west4", training=orders)
job("ready", "ready", next_try_at=at(1), attempt=2, trouble=kept(UNAVAILABLE))
job("sending", "sending", claimed_at=at(0), attempt=1)
job("refused", "refused", error=kept(BAD), ended_at=at(-100), owner=None)
job("denied", "refused", error=kept(DENIED), ended_at=at(-90))
job("lost", "unknown", unknown_since=at(-9), looks=2, next_try_at=at(2), trouble=kept(LOST), attempt=1)
job("given up", "unknown", unknown_since=at(-99), looks=7, trouble=kept(LOST), attempt=1)
job(
    "cancelled while lost",
    "unknown",
    unknown_since=at(-3),
    looks=1,
    next_try_at=at(1),
    cancel_asked_at=at(-1),
)
job("queued", "created", QUEUED)
job("pending", "created", PENDING, trouble=kept(UNAVAILABLE), misses=1)
running = job(
    "running",
    "created",
    RUNNING,
    validation_enabled=True,
    validation=validation,
    epoch_count=3,
    remote={
        "tuningDataStats": STATISTICS,
        "tuningJobMetadata": {"completedStepCount": "120", "completedEpochCount": "1"},
    },
)
twins = [f"{PLACE}/tuningJobs/8001", f"{PLACE}/tuningJobs/8002"]
job("sent twice", "created", RUNNING, twins=twins, looks=3, misses=2, cancel_asked_at=at(-2))
succeeded = job(
    "succeeded",
    "created",
    "JOB_STATE_SUCCEEDED",
    validation_enabled=True,
    validation=validation,
    epoch_count=3,
    adapter_size=4,
    learning_rate_multiplier=1.0,
    remote={"tuningDataStats": STATISTICS, "tunedModel": MODEL, "experiment": "projects/1/experiment"},
)
job(
    "failed",
    "created",
    "JOB_STATE_FAILED",
    error={"code": 13, "message": "The trainer died three times."},
    remote={"error": {"code": 13, "message": "The trainer died three times."}},
)
job(
    "cancelled",
    "created",
    "JOB_STATE_CANCELLED",
    cancel_asked_at=at(-20),
    cancel_sent_at=at(-19),
    error={"code": 1, "message": "CANCELED"},
)
job("refused to cancel", "created", "JOB_STATE_PARTIALLY_SUCCEEDED", trouble=kept(DENIED))
job("expired", "created", "JOB_STATE_EXPIRED")
job("paused", "created", "JOB_STATE_PAUSED")
job("a state of tomorrow", "created", "JOB_STATE_DREAMING")
job("deleted", "created", RUNNING, gone_at=at(-30), misses=3)
job(
    "of Google",
    "created",
    RUNNING,
    project=google,
    owner=admin,
    base_model="gemini-2.5-flash",
    location="europe-west4",
    training=orders,
)

generator = np.random.default_rng(0)
for tuned, steps in ((running, 120), (succeeded, 300)):
    every, evaluated = np.arange(1, steps + 1), np.arange(20, steps + 1, 20)
    wall = at(-200).timestamp() + every * 0.5
    loss = 3 * np.exp(-every / 90) + 0.05 * generator.random(steps)
    loss[4] = np.nan
    batch = {
        "/train_total_loss": points.Points.of(every, wall, loss),
        "/eval_total_loss": points.Points.of(evaluated, wall[evaluated - 1], 3.1 * np.exp(-evaluated / 110)),
        "/eval_fraction_of_correct_next_step_preds": points.Points.of(
            evaluated, wall[evaluated - 1], 1 - np.exp(-evaluated / 70)
        ),
    }
    ends, run = points.merge(tuned.pk, batch, whole=JUDGED), Run.of(tuned)
    TuningJob.objects.filter(pk=tuned.pk).update(summary=summarise(ends, run) | {"alerts": alerts(ends, run)})
for tuned in TuningJob.objects.filter(name__isnull=False):
    Feed.objects.create(
        job=tuned,
        due_at=None if tuned.ended_at else at(1),
        read_at=at(-1),
        run=f"{PLACE}/tensorboards/1/experiments/{tuned.pk}/runs/1" if tuned in (running, succeeded) else "",
        seen={"/train_total_loss": "300 2026-11-29T11:59:00Z"} if tuned == succeeded else {},
        error=kept(UNAVAILABLE) if tuned.state == PENDING else {},
    )

Sweep.objects.create(
    project=local, location="us-central1", due_at=at(0), read_at=at(-0.1), full_at=at(-4), watched_at=at(-0.2)
)
Sweep.objects.create(
    project=google,
    location="europe-west4",
    due_at=at(3),
    failing_since=at(-30),
    failures=7,
    trouble=kept(DENIED),
)

talk = Conversation.objects.create(
    project=local,
    owner=tuner,
    job=succeeded,
    resource=f"{PLACE}/endpoints/77",
    title="Where is my card?",
    system_instruction="Answer with an intent.",
    generation_config={"temperature": 0.5, "maxOutputTokens": 32},
)
base = Conversation.objects.create(
    project=local, owner=admin, resource="publishers/google/models/studio-tiny"
)
for conversation, prompt, reply, state, facts in (
    (talk, "Where is my card?", "card_arrival", "complete", {"finish_reason": "STOP", "seconds": 0.25}),
    (talk, "<b>And</b> now?", "**card**\n\n- a\n", "stopped", {"usage": {"totalTokenCount": 9}}),
    (talk, "Again", "", "failed", {"error": kept(UNAVAILABLE)}),
    (talk, "Once more", "card_arr", "broken", {"touched_at": at(-5), "model_version": "studio-tiny@1"}),
    (base, "こんにちは", "", "waiting", {}),
):
    Turn.objects.create(conversation=conversation, prompt=prompt, reply=reply, state=state, **facts)
Conversation.objects.update(created_at=at(-20), updated_at=at(-10))
Turn.objects.update(created_at=at(-15))

for action, actor, project, subject, detail in (
    ("person.join", admin, None, "mika", {}),
    ("project.create", admin, google, "team-red", {}),
    ("member.role", admin, local, "viewer", {"role": "viewer"}),
    ("dataset.add", tuner, local, "1 train.jsonl", {"uri": train.uri}),
    ("tuning_job.start", tuner, local, f"{running.pk} running", {"request": running.request}),
    ("tuning_job.twins", None, local, "14 sent twice", {"names": twins}),
    ("tuning_job.cancel", None, local, "17 cancelled", {}),
    ("delete conversation", tuner, local, "3", {}),
):
    AuditEntry.record(action, actor=actor, project=project, subject=subject, **detail)
AuditEntry.objects.update(at=at(-40))
for name in ("worker", "beat"):
    Pulse.objects.update_or_create(name=name, defaults={"at": at(0)})
Dataset.objects.update(created_at=at(-600))
Overlap.objects.update(created_at=at(-590))
Changes.objects.update(created_at=at(-580))
Project.objects.update(created_at=at(-9000))
