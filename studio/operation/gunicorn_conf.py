"""The web process under gunicorn; the address comes from the command line."""

import ctypes
import gc
import os
import signal
import sys
from typing import Any

from studio.operation.log_filters import build_logging_config

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SHARED_MEMORY = "/dev/shm"  # noqa: S108

workers = 2
worker_class = "studio.operation.web_worker.WebWorker"
# At most 8 of them serve chat streams (jobs/chat/sse.py) and 4 read uploads; the others are for pages.
threads = 16
# Well below the 1,024 files that a process may usually have open.
worker_connections = 400
# The parent imports the application, and the workers share most of its memory.
preload_app = True
# A worker that is frozen is replaced after this time, and the other one answers meanwhile.
timeout = 30
# Where the workers show that they live, without a disk.
worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
# Less than the 10 s after which the keeper kills.
graceful_timeout = 5
# gunicorn 27 would open a control socket in the home folder, one for every installation of the account.
control_socket_disable = True
logconfig_dict = build_logging_config("INFO")


def when_ready(server: Any) -> None:
    """Keep the collector away from what all workers share: it would copy each page that it looks at."""
    gc.collect()
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    """Have the kernel end the worker with its parent: a frozen one would keep the port to itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
