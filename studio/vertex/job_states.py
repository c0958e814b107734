"""The states of a tuning job, in Vertex's words.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState
"""

QUEUED = "JOB_STATE_QUEUED"
PENDING = "JOB_STATE_PENDING"
RUNNING = "JOB_STATE_RUNNING"
SUCCEEDED = "JOB_STATE_SUCCEEDED"
FAILED = "JOB_STATE_FAILED"
CANCELLING = "JOB_STATE_CANCELLING"
CANCELLED = "JOB_STATE_CANCELLED"
PAUSED = "JOB_STATE_PAUSED"
EXPIRED = "JOB_STATE_EXPIRED"
UPDATING = "JOB_STATE_UPDATING"
PARTIALLY_SUCCEEDED = "JOB_STATE_PARTIALLY_SUCCEEDED"

TERMINAL = frozenset({SUCCEEDED, PARTIALLY_SUCCEEDED, FAILED, CANCELLED, EXPIRED})
"""Final states. All others, including unknown ones, may still change."""

CANCELLABLE = frozenset({QUEUED, PENDING, RUNNING, PAUSED, UPDATING})

WITH_MODEL = frozenset({SUCCEEDED, PARTIALLY_SUCCEEDED})
"""States with a tuned model. A failed job may have one too: check `tunedModel`."""


def is_terminal(state: str) -> bool:
    return state in TERMINAL
