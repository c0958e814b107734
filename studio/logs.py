"""What must never reach a log."""

import logging
import re

SECRET = re.compile(
    r"(Bearer\s+)\S+|(ya29\.)[\w.-]+|(\"private_key\":\s*\")[^\"]+|([?&](?:upload_id|token|key|access_token)=)[^&\s\"']+"
    r"|(/join/[^/\s]+/)[^/\s]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    return SECRET.sub(lambda match: next(filter(None, match.groups())) + "[hidden]", text)


class SecretsFilter(logging.Filter):
    """Renders the record, then hides tokens, keys and one-time links in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(record.getMessage()), ()
        return True
