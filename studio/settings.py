"""Every setting of the studio, read once from the environment (and from a `.env` file beside manage.py).

docs/settings.md lists the variables; tests/studio/test_settings.py compares both.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from dotenv import load_dotenv

from studio.operation import log_filters, secret_files
from studio.people import client_address
from studio.projects import prices, quotas

BASE_DIR = Path(__file__).resolve().parent.parent
load_dotenv(BASE_DIR / ".env")


def env(name: str, default: str = "") -> str:
    """Return the variable's text, or `default` if it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def env_flag(name: str, default: bool) -> bool:
    return env(name, "on" if default else "off").lower() in {"1", "on", "true", "yes"}


def env_secret(name: str) -> str:
    """Return the text of the file that NAME_FILE names; without one, the variable's own text."""
    file = env(f"{name}_FILE")
    return secret_files.read_secret(Path(file), f"{name}_FILE") if file else env(name)


# ---- where things are ----
STATE_DIR = Path(env("STATE_DIR", str(BASE_DIR / "var"))).absolute()
STATE_DIR.mkdir(parents=True, exist_ok=True)
BIND = env("BIND", "127.0.0.1")
PORT = int(env("PORT", "8000"))
BASE_URL = env("BASE_URL", f"http://{f'[{BIND}]' if ':' in BIND else BIND}:{PORT}").rstrip("/")
DEBUG = env_flag("DEBUG", False)
SECRET_KEY = env_secret("SECRET_KEY") or secret_files.read_or_create_secret(STATE_DIR / "secret_key")

# ---- the engine, for projects whose backend is "engine" ----
# As in the launcher and the Makefile, every other word means on: docker-compose.yml passes a profile's name.
ENGINE = env("ENGINE", "on").lower() not in {"0", "off", "false", "no"}
ENGINE_URL = env("ENGINE_URL", "http://127.0.0.1:8090").rstrip("/")
ENGINE_TOKEN_FILE = Path(env("ENGINE_TOKEN_FILE", str(STATE_DIR / "engine.token")))
VERTEX_HOSTS = dict(pair.split("=", 1) for pair in env("VERTEX_HOSTS").split(",") if "=" in pair)
"""Other hosts for Vertex AI by location, `us=https://...`, separated by commas."""

# ---- what the service does not report ----
PRICES = prices.parse_prices(env("VERTEX_PRICES"), env("VERTEX_PRICES_AS_OF"))
QUOTAS = quotas.parse_quotas(env("CONCURRENT_JOBS"), env("ENGINE_JOBS", "1"))

# ---- Django ----
INSTALLED_APPS = [
    "studio",
    "jobs",
    "metrics",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
    "axes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "studio.pages.request_guard.RequestGuard",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "studio.people.access.FirstRunMiddleware",
    "studio.people.access.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "studio.pages.frame.frame_context",
            ],
            "builtins": ["studio.templatetags.studio", "template_partials.templatetags.partials"],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": dj_database_url.parse(
        env_secret("DATABASE_URL") or f"sqlite:///{STATE_DIR / 'studio.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: without IMMEDIATE, writers that read first fail with "database is locked" instead of waiting.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # The last connection to close deletes the WAL and its index, for which a full disk then has no room.
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    if not DATABASES["default"]["PASSWORD"] and (file := env("DATABASE_PASSWORD_FILE")):
        DATABASES["default"]["PASSWORD"] = secret_files.read_secret(Path(file), "DATABASE_PASSWORD_FILE")
    # Chunks of points travel as bytes instead of as text in the statement: a poll is stored a tenth faster.
    DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = True
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# ---- people ----
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "studio.people.password_validation.EasyPasswordValidator", "OPTIONS": {"shortest": 12}},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
SESSION_COOKIE_AGE = 12 * 3600
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
# Attempts while it is locked don't count, so that nobody can keep it locked by going on.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HANDLER = "studio.people.sign_in_lock.SignInLock"
AXES_CLIENT_IP_CALLABLE = "studio.people.client_address.find_client_address"
AXES_LOCKOUT_TEMPLATE = "studio/people/locked_out.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
TRUSTED_PROXIES = client_address.parse_networks(env("TRUSTED_PROXIES"))
"""Whose X-Forwarded-For header is believed."""

# ---- hosts, HTTPS and the content security policy ----
_base = urlsplit(BASE_URL)
HTTPS = _base.scheme == "https"
PLAIN_HTTP = not HTTPS and not (_base.hostname or "").startswith(("127.", "localhost", "::1"))
"""Passwords would cross the network unencrypted: admins see a notice."""
ALLOWED_HOSTS = sorted(
    {_base.hostname or "localhost", "127.0.0.1", "localhost", "[::1]", *env("ALLOWED_HOSTS").split()}
)
CSRF_TRUSTED_ORIGINS = [BASE_URL] if HTTPS else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATASET_MAX_BYTES = 1024**3
FILE_UPLOAD_HANDLERS = ["jobs.datasets.uploads.upload_handler.UploadHandler"]
FILE_UPLOAD_TEMP_DIR = STATE_DIR / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o700, exist_ok=True)

# ---- languages and times ----
USE_I18N = True
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", "UTC")
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "studio" / "locale"]

# ---- static files ----
STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "studio.operation.static_bundles.BundlingStorage"
    },
}

# ---- Celery: the database is the truth, a message only wakes a task ----
CELERY_BROKER_URL = env_secret("REDIS_URL") or "redis://127.0.0.1:6379/0"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_throttle": 1,
    "unacked_restore_interval": 10,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "global_keyprefix": env("REDIS_PREFIX", "studio:"),
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
POLL_SECONDS = float(env("POLL_SECONDS", "5"))
CELERY_BEAT_SCHEDULER = "studio.operation.beat_scheduler.Scheduler"
CELERY_BEAT_SCHEDULE = {
    "due work": {"task": "metrics.tasks.send_due", "schedule": POLL_SECONDS},
    "count tokens": {"task": "jobs.tasks.count_tokens", "schedule": 30.0},
    "sweep uploads": {"task": "jobs.tasks.sweep_uploads", "schedule": 3600.0},
    "beat": {"task": "studio.tasks.heartbeat", "schedule": 10.0, "kwargs": {"beat": True}},
}

# ---- logs: never a token, never a key ----
LOGGING = log_filters.build_logging_config(env("LOG_LEVEL", "INFO"))
# Otherwise Celery replaces these handlers with its own.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
