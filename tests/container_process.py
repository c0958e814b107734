"""python container_process.py FILE: runs one command as in a container. Linux only, as root, without docker.

FILE is a recipe as JSON. The command gets a root of its own, made of this machine's /usr and the paths that
the recipe names, process numbers of its own, and the network of the pod. Its process 1 is the command itself.
All ends with this process, and this one with its parent. `--pod` makes that network, and stays.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x0002_0000, 0x2000_0000, 0x4000_0000
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
# What programs look up there; accounts and hosts are written anew.
ETC = ("alternatives", "default", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs")
ETC += ("mime.types", "nsswitch.conf", "protocols", "services", "ssl")
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "shadow": "root:*:::::::\n",
    "gshadow": "root:*::\n",
}


def call(name: str, *arguments: int) -> None:
    if getattr(LIBC, name)(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)


def end_with_parent() -> None:
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)


def enter_network(pid: int) -> None:
    """Move the calling thread, and what it starts, into the network of a process."""
    with Path(f"/proc/{pid}/ns/net").open() as network:
        call("setns", network.fileno(), CLONE_NEWNET)


# ---- the pod ----
def keep_network() -> NoReturn:
    end_with_parent()
    call("unshare", CLONE_NEWNET)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        signal.pause()


# ---- a container ----
def run_container(recipe: dict[str, Any]) -> int:
    """Return the command's exit status; SIGTERM is passed on to it."""
    end_with_parent()
    enter_network(recipe["network"])
    call("unshare", CLONE_NEWNS | CLONE_NEWPID)
    child = os.fork()
    if not child:
        end_with_parent()
        build_root(recipe)
        become_command(recipe)
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
    Path(recipe["pid_file"]).write_text(str(child))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def build_root(recipe: dict[str, Any]) -> None:
    root = Path(recipe["root"])
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    build_system(root)
    build_etc(root / "etc", recipe["hosts"])
    for path in recipe["shared"]:
        bind(path, root, path, read_only=True)
    for source, target in recipe["copies"]:
        bind(source, root, target, read_only=True)
    for path in recipe["masked"]:
        empty = root / "run" / "empty"
        empty.mkdir(exist_ok=True)
        bind(str(empty), root, path, read_only=True)
    for command in recipe["runs"]:
        subprocess.run(["chroot", str(root), "sh", "-ec", command], check=True)
    for target, volume in recipe["volumes"].items():
        adopt_owner(Path(volume), root / target.lstrip("/"))
        bind(volume, root, target, read_only=target in recipe["read_only"])
    for target, file in recipe["secrets"].items():
        bind(file, root, target, read_only=True)


def build_system(root: Path) -> None:
    bind("/usr", root, "/usr", read_only=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.is_dir():
            bind(str(path), root, str(path), read_only=True)
    for name, mode in {"dev": 0o755, "proc": 0o555, "run": 0o755, "tmp": 0o1777, "var/tmp": 0o1777}.items():
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    mount("--rbind", "/dev", str(root / "dev"))
    mount("-t", "proc", "proc", str(root / "proc"))


def build_etc(etc: Path, hosts: str) -> None:
    etc.mkdir()
    for name in ETC:
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            shutil.copy(source, etc / name)
    for name, text in ({"hosts": hosts} | ACCOUNTS).items():
        (etc / name).write_text(text)


def bind(source: str, root: Path, target: str, *, read_only: bool) -> None:
    place = root / target.lstrip("/")
    if Path(source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    mount("--bind", source, str(place))
    if read_only:
        mount("-o", "remount,bind,ro", str(place))


def adopt_owner(volume: Path, place: Path) -> None:
    """An empty volume takes over owner and mode of the folder that the image has in its place."""
    if place.exists() and not any(volume.iterdir()):
        told = place.stat()
        os.chown(volume, told.st_uid, told.st_gid)
        volume.chmod(told.st_mode & 0o7777)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def become_command(recipe: dict[str, Any]) -> NoReturn:
    os.chroot(recipe["root"])
    os.chdir(recipe["folder"])
    person = pwd.getpwnam(recipe["user"])
    os.setgroups([])
    os.setgid(person.pw_gid)
    os.setuid(person.pw_uid)
    end_with_parent()  # again: it doesn't outlive a change of the user
    command: list[str] = recipe["command"]
    os.execvpe(command[0], command, {"HOME": person.pw_dir} | recipe["environment"])  # noqa: S606


if __name__ == "__main__":
    if sys.argv[1] == "--pod":
        keep_network()
    sys.exit(run_container(json.loads(Path(sys.argv[1]).read_text())))
