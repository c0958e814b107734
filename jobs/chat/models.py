"""Stored chats: a conversation with one endpoint, and its turns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from studio.disk_space import leave_out_if_full
from studio.models import Project


class Conversation(models.Model):
    """A stored chat with one endpoint and its settings (`generation_config` as in the REST API)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    job = models.ForeignKey("jobs.TuningJob", null=True, on_delete=models.CASCADE)
    resource = models.CharField(max_length=300)
    title = models.CharField(max_length=120, blank=True)
    system_instruction = models.TextField(blank=True)
    generation_config = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at", "-pk"]

    def __str__(self) -> str:
        return self.title or str(_("New conversation"))

    def get_absolute_url(self) -> str:
        return reverse("talk:conversation", args=[self.project.slug, self.pk])

    def ask(self, prompt: str) -> Turn | None:
        """Add a turn that waits for its answer. Return None while another turn is in progress."""
        with transaction.atomic():
            Conversation.objects.select_for_update().get(pk=self.pk)
            if self.turn_set.live().exists():
                return None
            self.title = self.title or Truncator(prompt).chars(120)
            self.save()
            return self.turn_set.create(prompt=prompt)

    def ask_again(self) -> Turn | None:
        """Replace the last turn with a new one for the same question.

        Return None if there is none to replace.
        """
        with transaction.atomic():
            Conversation.objects.select_for_update().get(pk=self.pk)
            last = self.turn_set.last()
            if last is None or last.state == Turn.State.STREAMING:
                return None
            last.delete()
            self.save()
            return self.turn_set.create(prompt=last.prompt)


class TurnQuerySet(models.QuerySet["Turn"]):
    def live(self) -> TurnQuerySet:
        return self.filter(state__in=LIVE_STATES)

    def abandon_silent(self, now: datetime) -> int:
        """End turns whose generating process died, and return their number: a live one updates its row every
        second."""
        silent = self.filter(state=Turn.State.STREAMING, touched_at__lt=now - SILENCE_TIMEOUT)
        count = 0
        with leave_out_if_full():
            count += silent.update(state=Turn.State.BROKEN)
        return count


class Turn(models.Model):
    """One question and its answer; `reply` grows while the stream runs and is kept if it is interrupted."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        STREAMING = "streaming", _("Answering")
        COMPLETE = "complete", _("Complete")
        STOPPED = "stopped", _("Stopped")
        BROKEN = "broken", _("Interrupted")
        FAILED = "failed", _("Failed")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE)
    prompt = models.TextField()
    reply = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    finish_reason = models.CharField(max_length=40, blank=True)
    usage = models.JSONField(default=dict)
    model_version = models.CharField(max_length=200, blank=True)
    error = models.JSONField(default=dict)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(null=True)

    objects = TurnQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return Truncator(self.prompt).chars(60)

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES

    def claim(self, now: datetime) -> bool:
        """Claim the turn for generating its answer. Return True for one caller only."""
        return self._update_from([Turn.State.WAITING], state=Turn.State.STREAMING, touched_at=now)

    def save_progress(self, reply: str, now: datetime) -> bool:
        """Store the text so far. Return False if the turn was stopped or deleted."""
        return self._update_from([Turn.State.STREAMING], reply=reply, touched_at=now)

    def finish(self, state: str, **facts: Any) -> None:
        """Store the end of the answer. A turn stopped in the meantime stays stopped, but gets the text."""
        if not self._update_from([Turn.State.STREAMING], state=state, **facts):
            self._update_from([Turn.State.STOPPED], **{**facts, "error": {}})

    def stop(self) -> bool:
        return self._update_from(LIVE_STATES, state=Turn.State.STOPPED)

    def _update_from(self, from_states: Sequence[str], **facts: Any) -> bool:
        return bool(Turn.objects.filter(pk=self.pk, state__in=from_states).update(**facts))


LIVE_STATES = (Turn.State.WAITING, Turn.State.STREAMING)
SILENCE_TIMEOUT = timedelta(seconds=20)
"""A live generator updates its turn every second, so after 20 s its process is dead."""
