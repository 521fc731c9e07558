"""What each job asks Slurm for, in the words of submitit."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Resources"]

OURS = {
    "job_name", "array", "output", "error", "open_mode", "signal", "requeue", "no_requeue",
    "ntasks", "ntasks_per_node", "nodes",
}  # fmt: skip
"""Options of sbatch that the sweep sets itself: to find its jobs again, and to requeue them."""


@dataclass(frozen=True)
class Resources:
    """What Slurm is asked for, for each job; one that is None is left to the cluster.

    ``minutes`` is the time limit, after which a job is requeued and goes on, so that it need not
    hold a whole training. ``gpus`` or ``gres`` ("gpu:a100:1") ask for GPUs, ``mem`` is sbatch's
    ("8G"), ``parallelism`` how many of the jobs run at once. ``setup`` are shell commands before
    each start, such as "module load cuda". ``more`` are further options of sbatch by their names.
    ``device`` is "cpu" or "cuda"; without it a GPU is trained on where one is asked for.
    Contradictions and what the sweep sets itself raise a ValueError.

    Chapter: scale.

    >>> Resources(gpus=1, partition="short").trains_on, Resources(minutes=60).notice
    ('cuda', 300)
    """

    minutes: int = 60
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: int | None = None
    gres: str | None = None
    cpus: int | None = None
    mem: str | None = None
    parallelism: int | None = None
    setup: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("minutes", "cpus", "parallelism"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if self.gpus is not None and self.gpus < 0:
            raise ValueError(f"gpus: expected at least 0, got {self.gpus}")
        if self.gpus and self.gres is not None:
            raise ValueError("gpus, gres: expected one of the two, got both")
        if self.device not in (None, "cpu", "cuda"):
            raise ValueError(f"device: expected cpu or cuda in each job, got {self.device!r}")
        taken = sorted(OURS & {_plain(name) for name in self.more})
        if taken:
            raise ValueError(
                f"--slurm: expected options that the sweep does not set itself, got {taken}"
            )

    @property
    def trains_on(self) -> str:
        """The device of each job."""
        asked = (self.gres or "", *self.more)
        has_gpu = self.gpus or any("gpu" in words for words in asked)
        return self.device or ("cuda" if has_gpu else "cpu")

    @property
    def notice(self) -> int:
        """Seconds before the limit at which Slurm is to tell a job that its time ends.

        A tenth of the limit, from 15 s to 5 min: an epoch should fit in it.
        """
        return max(15, min(300, 6 * self.minutes))

    @classmethod
    def options(cls, words: list[str]) -> dict[str, str]:
        """``more`` from KEY=VALUE, or KEY alone for an option without a value.

        >>> Resources.options(["--exclude=n7", "exclusive"])
        {'exclude': 'n7', 'exclusive': ''}
        """
        found = {}
        for word in words:
            name, _, value = word.partition("=")
            if not _plain(name).isidentifier():
                raise ValueError(f"--slurm: expected KEY=VALUE, an option of sbatch, got {word!r}")
            found[name.lstrip("-")] = value
        return found

    def parameters(self, name: str) -> dict[str, Any]:
        """The arguments of ``submitit.SlurmExecutor.update_parameters`` for jobs of this name."""
        home = shlex.quote(str(Path(__file__).resolve().parents[2]))
        found = {
            "job_name": name, "time": self.minutes, "signal_delay_s": self.notice,
            "partition": self.partition, "account": self.account, "qos": self.qos,
            "constraint": self.constraint, "gpus_per_node": self.gpus or None, "gres": self.gres,
            "cpus_per_task": self.cpus, "mem": self.mem, "array_parallelism": self.parallelism,
        }  # fmt: skip
        found = {key: value for key, value in found.items() if value is not None}
        if self.cpus is not None:
            # Since Slurm 22.05 srun no longer takes the job's count over: a step would get one.
            found["srun_args"] = [f"--cpus-per-task={self.cpus}"]
        path = f"export PYTHONPATH={home}${{PYTHONPATH:+:$PYTHONPATH}}"
        more = {_plain(key): value or True for key, value in self.more.items()}
        return found | {
            "stderr_to_stdout": True,
            "setup": [*self.setup, path],
            "additional_parameters": {"requeue": True} | more,
        }


def _plain(name: str) -> str:
    """An option's name as submitit writes it, so that it replaces ours and is not said twice."""
    return name.lstrip("-").replace("-", "_")
