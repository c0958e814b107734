"""Who may come in, how errors look, and how the process starts and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.engine.running_engine import PROJECT, Engine, run_engine
from tests.paths import ROOT

JOBS = f"{PROJECT}/tuningJobs"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8090", "[::1]:80", "LOCALHOST:1"])
def test_local_host_names_are_allowed(engine: Engine, host: str) -> None:
    assert engine.get(JOBS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "[::2]", ""])
def test_other_hosts_are_refused(engine: Engine, host: str) -> None:
    error = engine.get(JOBS, headers={"Host": host}).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")


def test_web_pages_are_refused(engine: Engine) -> None:
    response = engine.post(f"{JOBS}", {}, headers={"Origin": "http://localhost:3000"})
    assert response.status_code == 403
    assert engine.get("storage/v1/b", headers={"Origin": "null"}).json()["error"]["errors"][0]["reason"] == (
        "forbidden"
    )


def test_unknown_paths_methods_and_locations_are_errors(engine: Engine) -> None:
    assert engine.get("v1/nowhere").json()["error"]["status"] == "NOT_FOUND"
    assert engine.get("v2/projects/p/locations/us-central1/tuningJobs").status_code == 404
    assert engine.call("DELETE", JOBS).status_code == 405
    for location in ("local_host", "US", "us-central"):
        error = engine.get(f"v1/projects/p/locations/{location}/tuningJobs").json()["error"]
        assert error["status"] == "INVALID_ARGUMENT"
    for location in ("us", "global", "northamerica-northeast1"):
        assert engine.get(f"v1/projects/p/locations/{location}/tuningJobs").status_code == 200


@pytest.mark.parametrize("body", [b"\xff", b"{", b'{"baseModel": 1}', b"[1]"])
def test_malformed_body_returns_400(engine: Engine, body: bytes) -> None:
    response = engine.call("POST", JOBS, data=body)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_unexpected_error_reveals_no_details(engine: Engine) -> None:
    folder = engine.root / "jobs" / ("9" * 19)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{not json")
    response = engine.get(f"{JOBS}/{'9' * 19}")
    (folder / "job.json").unlink()
    assert response.json() == {
        "error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}
    }


@pytest.mark.engine
def test_token_is_required_where_one_is_set(base_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    arguments = ("--host", "0.0.0.0", "--token-file", str(file))  # noqa: S104
    with run_engine(tmp_path / "root", *arguments, ENGINE_HOSTS="engine, other") as engine:
        engine.url = engine.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        token = file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "root").stat().st_mode & 0o777 == 0o700
        assert engine.get("healthz").status_code == 200
        assert engine.get(JOBS).json()["error"]["status"] == "UNAUTHENTICATED"
        assert engine.get("storage/v1/b").json()["error"]["errors"][0]["reason"] == "authError"
        assert engine.get(JOBS, headers={"Authorization": "Bearer wrong"}).status_code == 401
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-Goog-Api-Key": token}):
            assert engine.get(JOBS, headers={"Host": "engine:80", **headers}).status_code == 200


def start_engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_public_host_requires_a_token_file(tmp_path: Path) -> None:
    ended = start_engine("--host", "0.0.0.0", "--port", "0", "--root", str(tmp_path))  # noqa: S104
    assert (ended.returncode, "Pass --token-file" in ended.stderr) == (1, True)


@pytest.mark.slow
def test_second_engine_on_the_same_root_or_port_exits_with_a_message(engine: Engine, tmp_path: Path) -> None:
    port = engine.url.rpartition(":")[2]
    second = start_engine("--port", "0", "--root", str(engine.root))
    assert (second.returncode, "Another engine is using" in second.stderr) == (1, True)
    taken = start_engine("--port", port, "--root", str(tmp_path / "other"))
    assert (taken.returncode, "Address already in use" in taken.stderr) == (1, True)


@pytest.mark.engine
def test_stop_is_quick_and_ends_the_trainer(base_folder: Path, tmp_path: Path) -> None:
    with run_engine(tmp_path / "root") as engine:
        job = engine.tune(epochs=5000)
        engine.wait(job, ("JOB_STATE_RUNNING",))
        engine.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert engine.process.wait(60) == 0
        assert time.monotonic() - begun < 30
        assert not find_trainers(tmp_path)
    with run_engine(tmp_path / "root") as engine:
        assert engine.wait(job, ("JOB_STATE_RUNNING",))["name"] == job["name"]
        engine.post(f"v1/{job['name']}:cancel")
        assert engine.wait(job)["state"] == "JOB_STATE_CANCELLED"


def find_trainers(folder: Path) -> list[str]:
    """The processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_text()
        except OSError:
            continue
        if str(folder) in line and entry.parent.name != str(os.getpid()):
            found.append(line)
    return found


@pytest.mark.engine
def test_a_worker_that_dies_is_replaced(base_folder: Path, tmp_path: Path) -> None:
    with run_engine(tmp_path / "root") as engine:
        children = Path(f"/proc/{engine.process.pid}/task/{engine.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while True:
            try:
                assert engine.get(JOBS).json() == {}
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_startup_does_not_load_torch(engine: Engine) -> None:
    script = "import sys, engine.urls, engine.__main__; sys.exit('torch' in sys.modules)"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "engine.settings",
        "ENGINE_ROOT": str(engine.root),
    }
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment).returncode == 0


@pytest.mark.parametrize(
    ("fault", "status"),
    [("status=503", 503), ("status=429; delay=0.2", 429), ("status=504", 504), ("status=401", 401)],
)
def test_fault_header_forces_an_error_status(engine: Engine, fault: str, status: int) -> None:
    response = engine.get(JOBS, headers={"X-Engine-Fault": fault})
    assert (response.status_code, response.json()["error"]["code"]) == (status, status)


def test_forced_502_is_html(engine: Engine) -> None:
    response = engine.get(JOBS, headers={"X-Engine-Fault": "status=502"})
    assert (response.status_code, response.headers["Content-Type"]) == (502, "text/html; charset=utf-8")


def test_cut_response_is_a_prefix_of_the_full_one(engine: Engine) -> None:
    whole = engine.get("storage/v1/b").content
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        engine.get("storage/v1/b", headers={"X-Engine-Fault": "cut=9"})
    begun = engine.get("storage/v1/b", headers={"X-Engine-Fault": "cut=9"}, stream=True)
    assert begun.raw.read(9) == whole[:9]
    assert int(begun.headers["Content-Length"]) == len(whole)


@pytest.mark.parametrize("fault", ["drop=1", "cut=1"])
def test_drop_and_cut_break_the_connection(engine: Engine, fault: str) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        engine.get("storage/v1/b", headers={"X-Engine-Fault": fault})


def test_after_fault_runs_the_request_and_loses_the_response(engine: Engine) -> None:
    uri = engine.upload_examples("lost.jsonl", 4)
    place = "v1/projects/lost/locations/us-central1/tuningJobs"
    body = {"baseModel": "studio-tiny", "supervisedTuningSpec": {"trainingDatasetUri": uri}}
    with pytest.raises(requests.ConnectionError):
        engine.post(place, body, headers={"X-Engine-Fault": "drop=1; after=1"})
    (job,) = engine.get(place).json()["tuningJobs"]
    engine.post(f"v1/{job['name']}:cancel")


@pytest.mark.engine
def test_faults_are_off_without_the_setting(base_folder: Path, tmp_path: Path) -> None:
    with run_engine(tmp_path / "root", ENGINE_FAULTS="") as engine:
        assert engine.get(JOBS, headers={"X-Engine-Fault": "status=503"}).status_code == 200
