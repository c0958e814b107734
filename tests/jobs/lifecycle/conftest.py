"""A job that is ready to be sent."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from jobs.models import TuningJob


@pytest.fixture
def ready(draft: TuningJob, tuner: User) -> TuningJob:
    draft.start(tuner)
    draft.refresh_from_db()
    return draft
