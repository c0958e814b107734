"""`python die_with_parent.py COMMAND...` becomes COMMAND; it ends when its parent dies, even by SIGKILL."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
