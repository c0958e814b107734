"""What must never reach a log."""

import logging
import re
from typing import Any

SECRET = re.compile(
    r"""(Bearer\s+)\S+|(ya29\.)[\w.-]+|(["']private_key["']:\s*["'])[^"']+
    |([?&](?:upload_id|token|key|access_token)=)[^&\s"']+|(/join/[^/\s]+/)[^/\s]+""",
    re.IGNORECASE | re.VERBOSE,
)


def hide_secrets(text: str) -> str:
    return SECRET.sub(lambda match: next(filter(None, match.groups())) + "[hidden]", text)


class SecretsFilter(logging.Filter):
    """Renders the record and its traceback, then hides tokens, keys and one-time links in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = hide_secrets(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = hide_secrets(logging.Formatter().formatException(record.exc_info))
        return True


def build_logging_config(level: str) -> dict[str, Any]:
    """A configuration for logging.config.dictConfig that sends everything through one filtered handler."""
    through: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"secrets": {"()": "studio.operation.log_filters.SecretsFilter"}},
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["secrets"]},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {"django": through, "django.server": through, "gunicorn.error": through},
    }
