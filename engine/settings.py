"""Django for the engine: routing and requests only; no database, no sessions, no templates.

The engine's own settings are read from the environment where they are used; __main__.py lists them.
"""

import secrets

DEBUG = False
# Nothing is signed with it; Django asks for one.
SECRET_KEY = secrets.token_hex()
# request_guard.py holds the list, so that a refusal has the shape of the API's own errors.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "engine.urls"
MIDDLEWARE = [
    "engine.protojson.errors.ErrorMiddleware",
    "engine.request_guard.RequestGuard",
    "engine.fault_injection.FaultMiddleware",
]
APPEND_SLASH = False
USE_TZ = True
USE_I18N = False
DEFAULT_CHARSET = "utf-8"
# gunicorn logs what Django would only repeat.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django.request": {"level": "CRITICAL"}},
}
