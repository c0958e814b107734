"""The studio's settings for tests: a state folder and a database of their own, and no broker."""

import os
import tempfile
from pathlib import Path

_state = Path(tempfile.mkdtemp(prefix="studio-test-"))
os.environ["STATE_DIR"] = str(_state)
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_state / 'test.sqlite3'}")
os.environ["BIND"] = "127.0.0.1"
os.environ["BASE_URL"] = "http://127.0.0.1:8000"
os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"
os.environ["SECRET_KEY"] = "a key for tests only"
os.environ |= dict.fromkeys(
    ["DATABASE_URL_FILE", "DATABASE_PASSWORD_FILE", "REDIS_URL_FILE", "SECRET_KEY_FILE"], ""
)

from studio.settings import *  # noqa: E402, F403

# A file, as in use: threads that share one in-memory database fail where a file makes them wait.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(_state / "tests.sqlite3")}  # noqa: F405
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# WhiteNoise warns about a missing folder in each test client.
STATIC_ROOT.mkdir()  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# There is none to reach, and a broker that is down is given up at once.
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "max_retries": 0}  # noqa: F405
