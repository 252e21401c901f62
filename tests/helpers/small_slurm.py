"""A real Slurm of one node, in a folder of its own: started and stopped by a test, without accounting and systemd."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
_CONFIG = """
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdTimeout=10
KillWait=5
ReturnToService=2
MinJobAge=300
SchedulerParameters=sched_interval=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=6000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=2:00:00 State=UP
"""


def lacking() -> str:
    """Say why no Slurm can be started here; empty where one can."""
    missing = [name for name in NEEDED if _find(name) is None]
    if missing:
        return f"no Slurm: {', '.join(missing)} not installed (apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "no Slurm: its daemons are started as root only"


class Slurm:
    """The daemons, and what is asked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        # In a job, the executor takes away what `srun` finds this Slurm by; elsewhere that is /etc/slurm/slurm.conf.
        srun = folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {_find("srun")} "$@"\n')
        srun.chmod(0o755)
        self.host = socket.gethostname().partition(".")[0]
        self.config = folder / "slurm.conf"
        self.config.write_text(_CONFIG.format(folder=folder, host=self.host, ports=_free_ports(2)))

    @property
    def environment(self) -> dict[str, str]:
        """What a command of Slurm, and a run that uses it, must have to find this one."""
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.config), "PATH": path}

    def start(self) -> None:
        """Start all daemons, and wait until the node is ready for jobs."""
        f = self.folder
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._spawn("munged", "--foreground", "--force", *(f"--{o}={f}/munge.{end}" for o, end in places.items()))
        self.wait(lambda: (f / "munge.socket").exists(), what="munge")
        self._spawn("slurmctld", "-D", "-f", str(self.config))
        self.start_node()

    def start_node(self) -> None:
        """Start the node's daemon, and wait until the node is ready for jobs."""
        self._spawn("slurmd", "-D", "-f", str(self.config), "-N", self.host)
        self.wait(
            lambda: self.ask("sinfo", "-h", "-o", "%T").strip() in {"idle", "mixed", "allocated"}, what="the node"
        )

    def kill_node(self) -> None:
        """Kill the node's daemon; what it has started goes on alone."""
        process = self.daemons.pop("slurmd")
        process.kill()
        process.wait()

    def ask(self, *command: str) -> str:
        """Return what a command of Slurm prints; nothing where it fails."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self, *states: str) -> list[tuple[str, str]]:
        """Return the jobs of some states: their numbers and what they are, in the words of the workflow."""
        rows = self.ask("squeue", "-h", "-o", "%i|%k", *(["-t", ",".join(states)] if states else [])).splitlines()
        return [(number, comment) for number, _, comment in (row.partition("|") for row in rows)]

    def wait(self, ready, *, what: str, seconds: float = 120) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline, f"{what} did not come in {seconds} s:\n{self.logs()}"
            for name, process in self.daemons.items():
                assert process.poll() is None, f"{name} ended:\n{self.logs()}"
            time.sleep(0.3)

    def logs(self) -> str:
        """Return the last lines of what the daemons said."""
        return "\n".join(
            f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in sorted(self.folder.glob("*.out"))
        )

    def stop(self) -> None:
        """End all daemons, and what still runs on the node."""
        self.ask("scancel", "--user=root")
        for name in reversed(list(self.daemons)):
            process = self.daemons.pop(name)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self, name: str, *arguments: str) -> None:
        program = _find(name)
        assert program is not None
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [program, *arguments],
                env=os.environ | self.environment,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def _free_ports(number: int) -> Sequence[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
