"""`python die_with_parent.py SIGNAL COMMAND...` becomes COMMAND; when its parent dies, even by SIGKILL, the
kernel sends it SIGNAL, a number."""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sys.argv[1]))
    if os.getppid() == parent:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
