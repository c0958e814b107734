"""python -m studio.run"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import django
from django.conf import settings
from dotenv import load_dotenv

from studio.run import preflight
from studio.run.preflight import print_line
from studio.run.processes import Plan

HOME = Path(__file__).resolve().parent.parent.parent
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OFF = {"0", "off", "false", "no"}


def main() -> int:
    for number in STOPS:
        signal.signal(number, raise_interrupt)
    load_dotenv(HOME / ".env")
    try:
        state = preflight.create_state_folder(Path(os.environ.get("STATE_DIR") or HOME / "var").absolute())
        with preflight.lock_state_folder(state):
            clean_up_last_run(state)
            run(build_plan(state))
    except preflight.RunError as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    except KeyboardInterrupt:
        return 0


def raise_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def clean_up_last_run(state: Path) -> None:
    """Remove what a killed run left behind."""
    record = state / "run.json"
    if record.exists():
        left = Path(json.loads(record.read_text() or "{}").get("sockets", state / "nothing"))
        if left.name.startswith(preflight.SOCKET_FOLDER):
            shutil.rmtree(left, ignore_errors=True)
        record.unlink()


def build_plan(state: Path) -> Plan:
    host, port = preflight.read_bind_address(os.environ)
    own_redis = not (os.environ.get("REDIS_URL") or os.environ.get("REDIS_URL_FILE"))
    own_engine = os.environ.get("ENGINE", "on").lower() not in OFF and not os.environ.get("ENGINE_URL")
    return Plan(
        home=HOME,
        state=state,
        host=host,
        port=port,
        redis=preflight.find_redis_binary() if own_redis else None,
        engine_port=preflight.find_free_port() if own_engine else None,
        sockets=preflight.create_socket_folder(),
    )


def run(plan: Plan) -> NoReturn:
    """Start everything, and return only by an exception, with everything stopped."""
    try:
        export_environment(plan)
        django.setup()
        supervise(plan)
    finally:
        shutil.rmtree(plan.sockets, ignore_errors=True)


def export_environment(plan: Plan) -> None:
    """Describe the run in the environment, which every process reads, this one included."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="studio.settings",
        STATE_DIR=str(plan.state),
        BIND=plan.host,
        PORT=str(plan.port),
    )
    if plan.redis:
        (plan.state / "redis").mkdir(exist_ok=True)
        os.environ["REDIS_URL"] = plan.redis_url
    if plan.engine_port:
        os.environ["ENGINE_URL"] = plan.engine_url


def supervise(plan: Plan) -> NoReturn:
    # These read the settings when they are imported, so the environment comes first.
    from studio.run import prepare, supervisor, watchdog

    prepare.prepare_database()
    prepare.collect_static_files()
    record = write_record(plan)
    started = supervisor.Supervisor(plan)
    try:
        watchdog.wait_until_up(started)
        for sentence in prepare.welcome():
            print_line(sentence)
        watchdog.watch_parts(started)
    finally:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        started.stop()
        record.unlink(missing_ok=True)


def write_record(plan: Plan) -> Path:
    """Write run.json: this run's process, address and socket folder, for other programs of the same owner."""
    record = plan.state / "run.json"
    record.touch(mode=0o600)
    facts = {"pid": os.getpid(), "url": settings.BASE_URL, "sockets": str(plan.sockets)}
    record.write_text(json.dumps(facts, indent=1))
    return record


if __name__ == "__main__":
    sys.exit(main())
