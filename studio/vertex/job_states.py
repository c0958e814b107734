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
"""Nothing follows these. A word that is not here, also one we do not know, may still change."""

CANCELLABLE = frozenset({QUEUED, PENDING, RUNNING, PAUSED, UPDATING})

WITH_MODEL = frozenset({SUCCEEDED, PARTIALLY_SUCCEEDED})
"""States that end well; a failed job may have left a model too, so look at `tunedModel` before promising."""


def is_terminal(state: str) -> bool:
    return state in TERMINAL
