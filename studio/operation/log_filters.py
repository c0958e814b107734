"""Removes secrets from logs: tokens, keys, upload addresses, one-time links."""

import logging
import re
from typing import Any

SECRET = re.compile(
    r"""(Bearer\s+)\S+|(ya29\.)[\w.-]+|(["']private_key["']:\s*["'])[^"']+
    |([?&](?:upload_id|token|key|access_token)=)[^&\s"']+|(/join/[^/\s]+/|/invitation/)[^/\s]+""",
    re.IGNORECASE | re.VERBOSE,
)


def hide_secrets(text: str) -> str:
    return SECRET.sub(lambda match: next(filter(None, match.groups())) + "[hidden]", text)


class SecretsFilter(logging.Filter):
    """Formats the record and its traceback, and hides secrets in both."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = hide_secrets(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = hide_secrets(logging.Formatter().formatException(record.exc_info))
        return True


def build_logging_config(level: str) -> dict[str, Any]:
    """Return a configuration for logging.config.dictConfig with one filtered handler for everything."""
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
