"""Compile generated C code with the compiler of the machine, once, and load it.

Binaries are kept in $XDG_CACHE_HOME/noneuclid (~/.cache/noneuclid), under a name made of the
source, the compiler and the processor; each is written aside and renamed, so that processes which
start together do not disturb each other.
"""

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
from pathlib import Path
from typing import Any

# No contraction: a product and a sum are rounded apart, as in torch. The other two promise that
# nobody looks at errno or at floating-point exceptions, without which no loop is vectorised.
_FLAGS = (
    "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fPIC", "-shared",
)  # fmt: skip
_PATIENCE = 120.0  # seconds

_log = logging.getLogger(__name__)


@functools.cache
def compiler() -> str | None:
    """Return the C compiler ($CC, cc, gcc or clang), None without one or if NONEUCLID_NATIVE=0."""
    if os.environ.get("NONEUCLID_NATIVE") == "0" or sys.platform == "win32":
        return None
    named = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((path for name in named if name and (path := shutil.which(name))), None)


def loaded(source: str) -> Any | None:
    """Return the function `kernel` of compiled C code, or None where it does not build."""
    chosen = compiler()
    if chosen is None:
        return None
    try:
        kernel = ctypes.CDLL(str(_built(source, chosen))).kernel
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        _log.warning("a native kernel did not build, computing in torch alone: %s", error)
        compiler.cache_clear()
        os.environ["NONEUCLID_NATIVE"] = "0"  # once is enough: the next would fail alike
        return None
    address, number = ctypes.c_void_p, ctypes.c_int64
    kernel.argtypes, kernel.restype = [address, address, number, number], None
    return kernel


def _built(source: str, chosen: str) -> Path:
    """Return the binary, compiling it where the cache does not hold it yet."""
    identity = (source, *_FLAGS, chosen, platform.machine(), _processor())
    name = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32]
    folder = _cache_folder()
    binary = folder / f"rows-{name}.so"
    if not binary.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            code, fresh = Path(scratch) / "rows.c", Path(scratch) / binary.name
            code.write_text(source)
            command = [chosen, *_FLAGS, str(code), "-o", str(fresh), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
            if done.returncode:
                raise OSError(done.stderr.strip() or f"{chosen} failed")
            fresh.replace(binary)
    return binary


@functools.cache
def _cache_folder() -> Path:
    """Return a folder that only this user can write to: code is loaded from it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "noneuclid"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid == os.getuid() and not status.st_mode & 0o022:
            return folder
    except (OSError, RuntimeError):
        pass
    return Path(tempfile.mkdtemp(prefix="noneuclid-"))


@functools.cache
def _processor() -> str:
    """Return what tells processors apart that share a cache: -march=native fits only one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
