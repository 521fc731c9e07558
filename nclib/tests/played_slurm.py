"""Slurm's commands, played by scripts: what they were asked is kept, what they answer is told."""

from __future__ import annotations

import re
from pathlib import Path

SBATCH = r"""
test -e refuse && { echo "sbatch: error: invalid partition specified: nope" >&2
echo "sbatch: error: Batch job submission failed" >&2; exit 1; }
n=$(( $(cat count 2> /dev/null || echo 0) + 1 )); echo $n > count; cp "$1" script.$n; env > env.$n
name=$(sed -n 's/^#SBATCH --job-name=//p' "$1")
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\)%.*/\1/p' "$1")
if [ -z "$last" ]; then echo "$name|$n|PENDING||None" >> queue
else for i in $(seq 0 $last); do echo "$name|${n}_$i|PENDING||Priority" >> queue; done; fi
echo "Submitted batch job $n"
"""
SQUEUE = """
test -e away && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
case "$*" in *%T) cat state;; *) touch queue; cat queue;; esac
"""


class Played:
    """Slurm's commands as scripts that keep a queue in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "srun": "", "scontrol": "", "scancel": ""}
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\ncd {folder}\n{script}")
            (folder / name).chmod(0o755)

    @property
    def jobs(self) -> dict[str, str]:
        """Slurm's word for each job."""
        lines = (self.folder / "queue").read_text().splitlines()
        return {line.split("|")[1]: line.split("|")[2] for line in lines}

    def tell(self, job: str, state: str, node: str = "", reason: str = "None") -> None:
        path = self.folder / "queue"
        path.write_text(
            re.sub(rf"\|{job}\|.*", f"|{job}|{state}|{node}|{reason}", path.read_text())
        )

    def script(self, number: int = 1) -> str:
        return (self.folder / f"script.{number}").read_text()
