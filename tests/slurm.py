"""A real Slurm on this machine: a controller and some nodes, started for a test and ended by it."""

from __future__ import annotations

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["Cluster", "absence", "cluster"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
SECONDS = 30.0  # until all nodes answer
# Jobs must ask to be requeued. A lost node is noticed in seconds, and what is requeued may soon
# start: it waits for the end of its credential's life, of which five seconds are the least.
SETTINGS = """
ClusterName=nclib
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldPort={port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
JobRequeue=0
SlurmdTimeout=4
SlurmctldTimeout=5
MessageTimeout=3
KillWait=2
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
"""


def absence() -> str:
    """Why no Slurm can be started here, in words; empty where it can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"{missing[0]} not found: apt install slurmctld slurmd slurm-client munge"
    if os.geteuid() != 0:
        return "a node of Slurm (slurmd) starts jobs as root, and this is another user"
    return ""


@contextmanager
def cluster(cpus: dict[str, int]) -> Iterator[Cluster]:
    """A running cluster of nodes with so many cores each; nothing of it is left afterward."""
    # Not pytest's folder: a socket's path must be short, and others must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    found = Cluster(folder, cpus)
    try:
        try:
            found.start()
        except RuntimeError as error:
            pytest.skip(f"Slurm cannot be started here: {error}")
        yield found
    finally:
        found.end()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Cluster:
    """The daemons, in the foreground as this process's children, and the folder of their files."""

    folder: Path
    cpus: dict[str, int]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """With which Slurm's commands talk to this cluster."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        return kept | {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
            "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def start(self) -> None:
        """Start all daemons; RuntimeError with their last words if the nodes do not come up."""
        key, munge = self.folder / "key", self.folder / "munge"
        for name in ("state", "munge", *self.cpus):
            (self.folder / name).mkdir(mode=0o755)
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self._configure()
        self._spawn(
            "munged", "--foreground", "--force", f"--socket={munge}/socket", f"--key-file={key}",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        self._until((munge / "socket").exists)
        self._spawn("slurmctld", "-D", "-i")
        for node in self.cpus:
            self.join(node)
        self._until(lambda: self.ask("sinfo", "-h", "-N", "-o", "%T").split() == self._all("idle"))

    def join(self, node: str) -> None:
        """Start a node."""
        self._spawn("slurmd", "-D", "-N", node, name=node)

    def lose(self, node: str) -> None:
        """End a node as a power cut does: its daemon and whatever it started, without a word."""
        daemon = self.daemons.pop(node)
        daemon.kill()
        daemon.wait(10)
        mine = self.processes(f"SLURMD_NODENAME={node}")
        stewards = {_parent(pid) for pid in mine} - {1, os.getpid()}
        # Stewards first: one that outlives its job would tell the controller of a failed job.
        for pid in sorted(stewards - mine) + sorted(mine):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def ask(self, *command: str) -> str:
        """What a command of Slurm answers."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30
        ).stdout

    def end(self) -> None:
        """End everything that was started, jobs before the daemons."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self.ask("scancel", "--user", getpass.getuser())
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.wait(10)
        given_up = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < given_up:
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def _all(self, state: str) -> list[str]:
        return [state] * len(self.cpus)

    def _configure(self) -> None:
        port, *ports = _free_ports(1 + len(self.cpus))
        lines = [SETTINGS.format(
            host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=self.folder,
            port=port,
        )]  # fmt: skip
        for (node, cpus), port in zip(self.cpus.items(), ports, strict=True):
            where = f"NodeAddr=127.0.0.1 Port={port}"
            lines.append(f"NodeName={node} {where} CPUs={cpus} RealMemory=4000")
        lines.append(f"PartitionName=main Nodes={','.join(self.cpus)} Default=YES MaxTime=60")
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")

    def _spawn(self, *command: str, name: str = "") -> None:
        name = name or command[0]
        with open(self.folder / f"{name}.out", "ab") as words:
            self.daemons[name] = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=words,
                stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
            )  # fmt: skip

    def _until(self, is_true: Callable[[], bool]) -> None:
        given_up = time.monotonic() + SECONDS
        while not is_true():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > given_up:
                name = (ended or list(self.daemons))[-1]
                words = (self.folder / f"{name}.out").read_text(errors="replace").splitlines()
                raise RuntimeError(f"{name} did not start: {' / '.join(words[-3:])}")
            time.sleep(0.1)

    def processes(self, *words: str) -> set[int]:
        """Those that were given this cluster's configuration, and these words in the environment.

        The stewards of jobs (slurmstepd) are no children of ours, but inherit it.
        """
        wanted = {f"SLURM_CONF={self.folder}/slurm.conf", *words}
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    given = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                    if wanted <= set(given):
                        found.add(int(entry.name))
        return found


def _parent(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("PPid:"):
                return int(line.split()[1])
    return 1


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _die_with_parent() -> None:
    """A test process that is killed leaves no daemon either."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
