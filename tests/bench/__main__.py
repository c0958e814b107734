"""Runs `measure()` of every module in this folder on a database of its own."""

from __future__ import annotations

import importlib
import os
import pkgutil

import django
from django.test.utils import setup_databases, setup_test_environment, teardown_databases

import tests.bench


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        for module in pkgutil.iter_modules(tests.bench.__path__):
            if module.name != "__main__":
                for line in importlib.import_module(f"tests.bench.{module.name}").measure():
                    print(f"{module.name}: {line}", flush=True)
    finally:
        teardown_databases(made, verbosity=0)


if __name__ == "__main__":
    main()
