"""Runs `measure()` of every module in this folder, or of those named, on a database of its own."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import django
from django.test.utils import setup_databases, setup_test_environment, teardown_databases

import tests.bench


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        asked = sys.argv[1:] or [module.name for module in pkgutil.iter_modules(tests.bench.__path__)]
        return sum(not run_benchmark(name) for name in asked if name != "__main__")
    finally:
        teardown_databases(made, verbosity=0)


def run_benchmark(name: str) -> bool:
    """Print what the module measures; whether it is as good as the module asks for."""
    try:
        for line in importlib.import_module(f"tests.bench.{name}").measure():
            print(f"{name}: {line}", flush=True)
    except AssertionError as failure:
        print(f"{name}: {failure}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
