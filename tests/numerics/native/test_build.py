"""Building kernels where there is no compiler, a broken one, no cache or a full one."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from noneuclid.numerics import compute, formula, rows
from noneuclid.numerics.native import build, call, overwrite, tiles

CODE = """
import logging, torch
logging.basicConfig()
import noneuclid as ne
from noneuclid.numerics import plain_formulas
ball = ne.PoincareBall(8)
x, y = (ball.random(12, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
x.requires_grad_()
slope, = torch.autograd.grad(ball.dist2(x, y).sum(), x)
with plain_formulas():
    expected, = torch.autograd.grad(ball.dist2(x, y).sum(), x)
torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-6)
from noneuclid.numerics.native import call
print(any(kernels is not None for kernels in call._made.values()))
"""


def run(cache: Path, **environment: str) -> subprocess.CompletedProcess:
    """Compute in a process of its own; it prints whether any formula had a kernel."""
    given = {"NONEUCLID_NATIVE": "1", "XDG_CACHE_HOME": str(cache), **environment}
    command = [sys.executable, "-c", CODE]
    return subprocess.run(
        command, env={**os.environ, **given}, capture_output=True, text=True, check=True
    )


@pytest.fixture
def needs_compiler():
    if build.compiler() is None:
        pytest.skip("no C compiler")


@pytest.mark.parametrize(
    ("environment", "warns"),
    [
        pytest.param({"NONEUCLID_NATIVE": "0"}, False, marks=pytest.mark.slow),
        pytest.param({"PATH": "", "CC": ""}, False, marks=pytest.mark.slow),
        ({"CC": "false"}, True),
    ],
    ids=["switched off", "no compiler", "broken compiler"],
)
def test_without_a_compiler_everything_runs_in_torch(environment, warns, tmp_path):
    done = run(tmp_path, **environment)
    assert done.stdout.strip() == "False"
    assert done.stderr.count("did not build") == warns  # once, not for every formula
    assert not [*tmp_path.rglob("*.so")]


@pytest.mark.slow
@pytest.mark.usefixtures("needs_compiler")
def test_processes_that_start_together_share_a_cache(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(run, [tmp_path] * 2)]
    assert [done.stdout.strip() for done in results] == ["True", "True"]
    assert not [done.stderr for done in results if done.stderr]
    left = [*(tmp_path / "noneuclid").iterdir()]
    assert left
    assert {path.suffix for path in left} == {".so"}


@pytest.mark.slow
@pytest.mark.usefixtures("needs_compiler")
@pytest.mark.parametrize("fault", ["a file in its place", "open to others"])
def test_without_a_cache_of_its_own_a_process_compiles_aside(fault, tmp_path):
    """Code is never loaded from a folder that others can write to; nothing is left behind."""
    cache, scratch = tmp_path / "cache", tmp_path / "scratch"
    cache.mkdir()
    scratch.mkdir()
    if fault == "open to others":
        (cache / "noneuclid").mkdir()
        (cache / "noneuclid").chmod(0o777)
    else:
        (cache / "noneuclid").touch()
    assert run(cache, TMPDIR=str(scratch)).stdout.strip() == "True"
    assert not [*cache.rglob("*.so")]
    assert not [*scratch.iterdir()]


@pytest.fixture
def cache(needs_compiler, monkeypatch, tmp_path):
    """Build into an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build._cache_folder.cache_clear()
    yield tmp_path / "noneuclid"
    build._cache_folder.cache_clear()


def kernel(number):
    return f"void kernel(void *a, void *b, long c, long d) {{ (void){number}; }}"


def test_the_cache_is_private(cache):
    assert build.loaded(kernel(0)) is not None
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_read_only_cache_is_not_used(cache, monkeypatch):
    monkeypatch.setattr(build.os, "access", lambda folder, mode: mode != os.W_OK)
    assert build.loaded(kernel(0)) is not None
    assert not [*cache.iterdir()]


def test_a_damaged_binary_is_made_again(cache, monkeypatch):
    build.loaded(kernel(0))
    (binary,) = cache.iterdir()
    elsewhere = cache / "another"  # what is loaded already would not be read again
    (elsewhere / "noneuclid").mkdir(parents=True, mode=0o700)
    damaged = elsewhere / "noneuclid" / binary.name
    damaged.write_bytes(binary.read_bytes()[:100])
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere))
    build._cache_folder.cache_clear()
    assert build.loaded(kernel(0)) is not None
    assert damaged.stat().st_size == binary.stat().st_size


def test_a_full_cache_loses_what_was_used_longest_ago(cache, monkeypatch):
    monkeypatch.setattr(build, "_CAPACITY", 3)
    made = []
    for number in range(3):
        build.loaded(kernel(number))
        (new,) = set(cache.iterdir()) - set(made)
        os.utime(new, (1000 + number, 1000 + number))
        made.append(new)
    build.loaded(kernel(0))  # used again
    build.loaded(kernel(3))
    left = set(cache.iterdir())
    assert len(left) == 3
    assert made[0] in left
    assert made[1] not in left
    assert made[2] in left


# -- what did not build may build later ------------------------------------------------------------


@pytest.fixture
def dying(cache, monkeypatch):
    """Return a function that makes the compiler die the next few times; it returns all calls."""
    calls, run = [], subprocess.run
    monkeypatch.setattr(build, "_failures", build._Failures())

    def die(times):
        calls.clear()

        def compile(command, **options):
            calls.append(command)
            is_dying = len(calls) <= times
            return run(["sh", "-c", "kill -9 $$"] if is_dying else command, **options)

        monkeypatch.setattr(build.subprocess, "run", compile)
        return calls

    return die


def doubled(x):
    (X,) = rows(x)
    return (2.0 * X).to(x.dtype)


SINGLE = (torch.float32,)
MAKERS = {
    "formula": lambda: call.kernels_of(doubled, "doubled", SINGLE),
    "update": lambda: overwrite.overwriting(
        (lambda: lambda x: (doubled(x),),), 0, SINGLE, (False,), 0
    ),
    "tiles": lambda: tiles.tiles_of(("far_pairs.c",), ("far_pairs",), torch.float32),
}


def test_a_compiler_that_is_killed_once_is_asked_again(dying, caplog):
    calls = dying(times=1)
    assert build.loaded(kernel(0))
    assert len(calls) == 2
    assert not caplog.records


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_nothing_is_without_a_kernel_for_good(make, dying, monkeypatch, caplog):
    for module in (call, overwrite, tiles):
        monkeypatch.setattr(module, "_made", {})
    now = [0.0]
    monkeypatch.setattr(build.time, "monotonic", lambda: now[0])
    calls = dying(times=4)
    assert make() is None
    assert make() is None
    assert len(calls) == 2  # none in the pause
    now[0] = 31.0
    assert make() is None
    now[0] = 90.0  # this pause is twice as long
    assert make() is None
    assert len(calls) == 4
    now[0] = 92.0
    assert make() is not None
    assert len(caplog.records) == 1
    assert os.environ.get("NONEUCLID_NATIVE") != "0"


def test_in_a_pause_kernels_that_are_there_serve(dying, monkeypatch):
    monkeypatch.setattr(call, "_made", {})
    dying(times=0)
    kernels = MAKERS["formula"]()
    dying(times=2)
    with pytest.raises(build.NotBuiltError):
        build.loaded(kernel(0))
    assert not build.may_build()
    assert MAKERS["formula"]() is kernels is not None


def test_a_derivative_that_does_not_build_is_taken_in_torch(dying, monkeypatch):
    monkeypatch.setattr(call, "_made", {})
    monkeypatch.setattr(formula, "SMALLEST", 0)
    dying(times=0)
    x = torch.randn(5, 3, requires_grad=True)
    y = compute(doubled, (), (x,))
    calls = dying(times=2)
    y.sum().backward()
    assert len(calls) == 2
    assert torch.equal(x.grad, torch.full_like(x, 2.0))
