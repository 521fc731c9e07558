"""A process that starts commands of the package quickly, and lets them die as they are told.

``python -m tests.mortal`` imports everything once, then forks for each job, a line of JSON on its
input: {"arguments": of the command, "out": a file for its words, and how it is to end}. It answers
with the exit status, negative for a signal, and how many steps that touch the disk were taken.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from nclib import records
from nclib.__main__ import main

from .tree import ROOT

DISK = ("write", "fsync", "replace", "ftruncate", "unlink")  # functions of os that change it


class Mortal:
    """The test's end of such a process."""

    def __init__(self) -> None:
        environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
        environment["CUDA_VISIBLE_DEVICES"] = ""  # autograd has threads for GPUs; forks do not
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.mortal"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *arguments: str, out: Path, **how: Any) -> tuple[int, int]:
        """Exit status of a command and the steps it took; ``how`` as in ``_live``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        job = {"arguments": arguments, "out": str(out)} | how
        print(json.dumps(job), file=self.process.stdin, flush=True)
        status, steps = json.loads(self.process.stdout.readline())
        return status, steps

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class _Steps:
    """Counts the steps on the disk, and kills this process before one; a write by half first."""

    def __init__(self, die_at: int) -> None:
        self.count, self.die_at = 0, die_at
        for name in DISK:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.count += 1
            if self.count == self.die_at:
                if name == "write":
                    original(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        return call


def _live(job: dict[str, Any]) -> int:
    """The child: limits first, then the command, whose words go to a file; its exit status."""
    out = Path(job["out"])
    words = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(words, 1)
    os.dup2(words, 2)
    if job.get("user"):
        os.setgid(job["user"])
        os.setuid(job["user"])
    if job.get("file_limit"):  # bytes; a longer file is refused as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_limit"], job["file_limit"]))
    steps = _Steps(job["die_at"]) if "die_at" in job else None
    sys.argv, status = ["nclib", *job["arguments"]], 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    if steps is not None:
        out.with_suffix(".steps").write_text(str(steps.count))
    return status


def _warm_up() -> None:
    """Run a command whole, so that whatever is loaded on first use is there before the forks."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        sys.argv = ["nclib", "run", "synthetic-thinvgg-mse-e1-n100", "--folder", folder]
        with redirect_stdout(nowhere), suppress(SystemExit):
            main()


def _serve() -> None:
    records._commit = lambda: ""  # asks git each time
    _warm_up()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                status = _live(job)
            except BaseException:
                traceback.print_exc()
                status = 99
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)  # taking all of torch down again would take longer than the run
        if "after" in job:  # seconds
            time.sleep(job["after"])
            os.kill(child, job["signal"])
        _, ended = os.waitpid(child, 0)
        counted = Path(job["out"]).with_suffix(".steps")
        steps = int(counted.read_text()) if counted.exists() else 0
        print(json.dumps([os.waitstatus_to_exitcode(ended), steps]), flush=True)


if __name__ == "__main__":
    _serve()
