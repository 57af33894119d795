"""Compile generated C code with the compiler of the machine, once, and load it.

Binaries are kept in $XDG_CACHE_HOME/noneuclid (~/.cache/noneuclid), under a name made of the
source, the compiler and the processor; each is written aside and renamed, so that processes which
start together do not disturb each other. Beyond 1024 of them (20 kB each) the one that was used
longest ago goes. Without such a folder every process compiles its own.

A kernel that does not build may build later: compilers are killed where memory is short, and disks
are full for a while. So it is tried again at once, and then after a pause in which everything runs
in torch alone; where it goes on failing, pauses double.
"""

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Two of them promise that nobody looks at errno or at floating-point exceptions, without which no
# loop is vectorised. Unless asked for, no contraction: a product and a sum are rounded apart, as in
# torch.
_FLAGS = (
    "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared",
)  # fmt: skip
_PATIENCE = 120.0  # seconds
_CAPACITY = 1024  # binaries
_PAUSE = 30.0  # seconds after the first failure

_log = logging.getLogger(__name__)


class NotBuiltError(Exception):
    """There is no kernel now: no compiler, or one that failed. It is no property of a formula."""


class _Failures:
    """How often kernels did not build, and until when none is tried."""

    count, until = 0, 0.0

    def note(self, error: Exception) -> None:
        """Begin a pause, twice as long as the last one; say so the first time."""
        if not self.count:
            _log.warning("a native kernel did not build, computing in torch alone: %s", error)
        self.until = time.monotonic() + _PAUSE * 2.0 ** min(self.count, 10)
        self.count += 1


_failures = _Failures()


def may_build() -> bool:
    """Tell whether a kernel may be built now; those that are there serve in a pause, too."""
    return compiler() is not None and not (_failures.count and time.monotonic() < _failures.until)


@functools.cache
def compiler() -> str | None:
    """Return the C compiler ($CC, cc, gcc or clang), None without one or if NONEUCLID_NATIVE=0."""
    if os.environ.get("NONEUCLID_NATIVE") == "0" or sys.platform == "win32":
        return None
    named = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((path for name in named if name and (path := shutil.which(name))), None)


def loaded(
    source: str, names: tuple[str, ...] = ("kernel",), *, contracts: bool = False
) -> list[Any]:
    """Return functions of compiled C code.

    Args:
        source: C code.
        names: functions with the arguments (table, scratch, begin, end), see `threads.py`.
        contracts: whether a product and a sum may be rounded together where the machine can.

    Raises:
        NotBuiltError: there is no compiler, it failed, or it has failed a moment ago.
    """
    chosen = compiler()
    if chosen is None or not may_build():
        raise NotBuiltError("no C compiler now")
    try:
        library = _tried_twice(source, chosen, _flags(contracts))
        functions = [getattr(library, name) for name in names]
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        _failures.note(error)
        raise NotBuiltError(str(error)) from error
    address, number = ctypes.c_void_p, ctypes.c_int64
    for function in functions:
        function.argtypes, function.restype = [address, address, number, number], None
    return functions


def _flags(contracts: bool) -> tuple[str, ...]:
    return (*_FLAGS, f"-ffp-contract={'fast' if contracts else 'off'}")


def _tried_twice(source: str, chosen: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    with contextlib.suppress(OSError):  # a compiler that ran out of patience is no such error
        return _library(source, chosen, flags)
    return _library(source, chosen, flags)


def _library(source: str, chosen: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    """Return the library, compiling it where the cache does not hold it yet."""
    identity = (source, *flags, chosen, platform.machine(), _processor())
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32]
    name = f"rows-{digest}.so"
    folder = _cache_folder()
    if folder is not None:
        with contextlib.suppress(OSError):  # not there, or damaged: it is made again
            found = ctypes.CDLL(str(folder / name))
            (folder / name).touch()
            return found
    with tempfile.TemporaryDirectory(prefix="noneuclid-", dir=folder) as scratch:
        code, binary = Path(scratch) / "rows.c", Path(scratch) / name
        code.write_text(source)
        command = [chosen, *flags, str(code), "-o", str(binary), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        if done.returncode:
            raise OSError(done.stderr.strip() or f"{chosen} failed")
        if folder is None:  # a library that is loaded needs its file no more
            return ctypes.CDLL(str(binary))
        _make_room(folder)
        return ctypes.CDLL(str(binary.replace(folder / name)))


def _make_room(folder: Path) -> None:
    """Remove the binaries that were used longest ago from a cache that is full."""
    found = []
    for path in folder.glob("rows-*.so"):
        with contextlib.suppress(OSError):  # another process may be removing it too
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found)[: max(0, len(found) + 1 - _CAPACITY)]:
        path.unlink(missing_ok=True)


@functools.cache
def _cache_folder() -> Path | None:
    """Return a folder that this user alone can write to, as code is loaded from it, or None."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base) / "noneuclid"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    is_private = status.st_uid == os.getuid() and not status.st_mode & 0o022
    return folder if is_private and os.access(folder, os.W_OK) else None


@functools.cache
def _processor() -> str:
    """Return what tells processors apart that share a cache: -march=native fits only one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
