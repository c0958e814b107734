"""python -m studio.run: the launcher. It prepares a run, then starts and watches the keeper."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dotenv import load_dotenv

from studio.run import keeper_process, preflight
from studio.run.processes import Plan, bind_to_parent

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
        left = Path(read_record(record).get("sockets", state / "nothing"))
        if left.name.startswith(preflight.SOCKET_FOLDER):
            shutil.rmtree(left, ignore_errors=True)
        record.unlink()


def read_record(record: Path) -> dict[str, Any]:
    """Return run.json; {} if a full disk kept it from being written."""
    try:
        return dict(json.loads(record.read_text()))
    except ValueError:
        return {}


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
    record = plan.state / "run.json"
    try:
        export_environment(plan)
        prepared = prepare(plan)
        write_record(record, plan, prepared["url"])
        keeper_process.keep_running(plan, prepared["welcome"])
    finally:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        record.unlink(missing_ok=True)
        shutil.rmtree(plan.sockets, ignore_errors=True)


def export_environment(plan: Plan) -> None:
    """Describe the run in the environment, which every process reads."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="studio.settings",
        STATE_DIR=str(plan.state),
        BIND=plan.host,
        PORT=str(plan.port),
        KEEPER_SOCKET=str(plan.keeper_socket),
    )
    if plan.redis:
        (plan.state / "redis").mkdir(exist_ok=True)
        os.environ["REDIS_URL"] = plan.redis_url
    if plan.engine_port:
        os.environ["ENGINE_URL"] = plan.engine_url
        os.environ["ENGINE_TOKEN_FILE"] = str(plan.engine_token_file)


def prepare(plan: Plan) -> dict[str, Any]:
    """Bring everything up to date in a process of its own, since this one stays, and Django is large.

    Return the address and the lines of the welcome.
    """
    command = bind_to_parent([sys.executable, "-m", "studio.run.prepare"])
    done = subprocess.run(command, cwd=plan.home, stdout=subprocess.PIPE, start_new_session=True, check=False)
    if done.returncode:
        raise SystemExit(1)  # it has said why
    return dict(json.loads(done.stdout))


def write_record(record: Path, plan: Plan, url: str) -> None:
    """Write run.json: this run's process, address and socket folder, for other programs of the same owner."""
    facts = {"pid": os.getpid(), "url": url, "sockets": str(plan.sockets)}
    with suppress(OSError):  # a full disk: the run goes on without
        record.touch(mode=0o600)
        record.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    sys.exit(main())
