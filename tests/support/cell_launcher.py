"""Starts a target in namespaces and a root of its own: argv is a JSON object and the program's.

It prints the target's pid as its own namespace numbers it, and ends with the target. Only the
standard library is needed. Its own mount namespace is a stage between ours and the target's: it
has the interpreter where every user can reach it.
"""

# ruff: noqa: T201 - it says the pid on stdout

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "etc")
STICKY = {"/tmp", "/dev/shm"}  # noqa: S108 - as everywhere


def mount(source: str, point: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    words = [text.encode() or None for text in (source, point, kind)]
    if LIBC.mount(*words, ctypes.c_ulong(flags), options.encode() or None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {source} at {point}: {os.strerror(error)}")


def bind(source: str, point: str) -> None:
    if Path(source).is_dir():
        Path(point).mkdir(parents=True, exist_ok=True)
    else:
        Path(point).parent.mkdir(parents=True, exist_ok=True)
        Path(point).touch()
    mount(source, point, flags=MS_BIND | MS_REC)


def tmpfs(point: str, name: str) -> None:
    Path(point).mkdir(parents=True, exist_ok=True)
    mount("tmpfs", point, "tmpfs", 0, f"mode={1777 if name in STICKY else 755}")


def stage(spec: dict[str, Any]) -> None:
    """Put interpreters and program below a directory that every user may enter."""
    home = spec["home"]
    os.unshare(os.CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    program = Path(spec["program"]).read_bytes()
    hidden = [prefix for prefix in spec["prefixes"] if Path(prefix).is_relative_to(home)]
    interpreters = {prefix: os.open(prefix, os.O_PATH) for prefix in hidden}
    mount("tmpfs", home, "tmpfs", 0, "mode=755")
    for prefix, fd in interpreters.items():
        bind(f"/proc/self/fd/{fd}", prefix)
        os.close(fd)
    Path(home, "program.py").write_bytes(program)
    Path(home, "program.py").chmod(0o644)


def new_root(spec: dict[str, Any]) -> None:
    """Build a small system below the directory ``root``."""
    root = spec["root"]
    mount("tmpfs", root, "tmpfs", 0, "mode=755")
    for name in SYSTEM:
        if Path("/", name).is_symlink():
            Path(root, name).symlink_to(Path("/", name).readlink())
        elif Path("/", name).exists():
            bind(f"/{name}", f"{root}/{name}")
    for path in ("/dev/null", "/dev/urandom", spec["home"], *spec["visible"]):
        bind(path, root + path)
    for path in ("/", "/dev", "/proc", *spec["tmpfs"]):
        Path(root + path).mkdir(parents=True, exist_ok=True)
        if spec["uid"] is not None:
            os.chown(root + path, spec["uid"], spec["uid"])


def enter_root(spec: dict[str, Any]) -> None:
    root = spec["root"]
    if spec["enter"] == "chroot":
        os.chroot(root)
    else:
        pivot_root = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
        os.chdir(root)
        if LIBC.syscall(pivot_root, b".", b".") != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"pivot_root: {os.strerror(error)}")
        LIBC.umount2(b".", 2)
    os.chdir("/")


def map_users(pid: int, spec: dict[str, Any]) -> None:
    """Write the mapping from outside, as a runtime does that has the right to."""
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text(spec["map"])


def become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # Else the files in its own /proc would belong to root until the next exec.
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def new_user_namespace(spec: dict[str, Any]) -> None:
    """As anybody may: only the own number can be mapped, to root of the new namespace."""
    outside = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
    if spec["map"]:
        asked, answered = spec["pipes"]
        os.write(asked[1], b"map me")
        os.read(answered[0], 16)
        return
    Path("/proc/self/setgroups").write_text("deny")
    for name, number in zip(("uid_map", "gid_map"), outside, strict=True):
        Path(f"/proc/self/{name}").write_text(f"0 {number} 1")


def target(spec: dict[str, Any], argv: list[str]) -> None:
    """Become the target: the last steps, in the innermost namespaces."""
    root = spec["root"] or ""
    if "mnt" in spec["own"]:
        if "user" not in spec["own"]:
            os.unshare(os.CLONE_NEWNS)
        if root:
            # Only a mount that was made in this namespace can become the root of it.
            mount(root, root, flags=MS_BIND | MS_REC)
            os.chdir(root)
        for path in spec["tmpfs"]:
            tmpfs(root + path, path)
        if "pid" in spec["own"] or root:
            mount("proc", f"{root}/proc", "proc")
    if spec["read_only"]:
        mount("none", root, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    if root:
        enter_root(spec)
    if spec["inner_uid"] is not None:
        become(spec["inner_uid"])
    end_with_parent()
    os.execv(argv[0], [argv[0], f"{spec['home']}/program.py", *argv[1:]])  # noqa: S606 - is meant


def end_with_parent() -> None:
    """Each change of user takes this back."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def in_namespaces(spec: dict[str, Any], argv: list[str]) -> None:
    if spec["uid"] is not None:
        become(spec["uid"])
    end_with_parent()
    if "user" in spec["own"]:
        new_user_namespace(spec)
        end_with_parent()
    if "pid" in spec["own"]:
        os.unshare(os.CLONE_NEWPID)
        child = os.fork()
        if child:
            print(child, flush=True)
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    else:
        print(os.getpid(), flush=True)
    target(spec, argv)


def main() -> None:
    spec, argv = json.loads(sys.argv[1]), sys.argv[2:]
    stage(spec)
    if spec["root"]:
        new_root(spec)
    spec["pipes"] = asked, answered = os.pipe(), os.pipe()
    first = os.fork()
    if not first:
        try:
            in_namespaces(spec, argv)
        except OSError as error:
            print(error, file=sys.stderr)
        os._exit(99)
    if spec["map"]:
        os.read(asked[0], 16)
        map_users(first, spec)
        os.write(answered[1], b"mapped")
    _, status = os.waitpid(first, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


main()
