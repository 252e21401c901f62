"""Jobs as copies of one process that has the libraries loaded: to import scvi-tools takes longer than many a job does.

A run starts that process (`start_copying`) and names its socket in the environment. A job that finds it there asks for
a copy of it, a fork, which does the job in its stead (`do_in_copy`): with the words, folder, environment, input and
output of the process that asked, which waits, hands signals on and ends with the copy's status. So each job has a
process of its own, as without; only nothing is imported twice. Where nobody answers, a job loads what it needs itself.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from datamix.project.ending import end_at_once, ends_with

SOCKET = "DATAMIX_COPIES"
"""The environment variable that names the socket."""
_HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STARTED: list[subprocess.Popen[bytes]] = []
"""Kept, and with them the pipes whose end tells a process to copy itself no more."""


def start_copying(module: str) -> None:
    """Start, for as long as this process lives, one that jobs can be copies of; on Linux only, where copies are safe.

    Parameters
    ----------
    module
        Its program: run with the number of an open socket as its only argument, it calls `copy_for_jobs`.
    """
    if sys.platform != "linux":
        return
    path = Path(tempfile.mkdtemp(prefix="datamix-")) / "socket"  # a folder that nobody else may enter
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            listening.bind(str(path))
        except OSError:  # TMPDIR has no sockets, or a path of more than a hundred characters
            shutil.rmtree(path.parent)
            return
        listening.listen(64)
        number = listening.fileno()
        command = [sys.executable, "-m", module, str(number)]
        # In a group of its own: where all of the run's is killed, it sees that the run has ended, and cleans up.
        _STARTED.append(subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[number], start_new_session=True))
    os.environ[SOCKET] = str(path)


def do_in_copy(words: Sequence[str]) -> int | None:
    """Let a copy of the loaded process do a job, and wait for it.

    Parameters
    ----------
    words
        What the job is, for the one who copies.

    Returns
    -------
    The exit status; nothing where nobody answers, so that nothing was done.
    """
    named = os.environ.get(SOCKET)
    if named is None:
        return None
    job = {"words": list(words), "folder": str(Path.cwd()), "environment": dict(os.environ)}
    message = json.dumps(job).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON)  # what comes before they can be handed on waits
        try:
            connection.connect(named)
            socket.send_fds(connection, [len(message).to_bytes(4, "big")], [0, 1, 2])
            connection.sendall(message)
            copy = int.from_bytes(_receive(connection, 4), "big")
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
            return None
        sent: list[int] = []

        def hand_on(number: int, _: object) -> None:
            sent.append(number)
            with suppress(ProcessLookupError):
                os.kill(copy, number)

        before = {number: signal.signal(number, hand_on) for number in _HANDED_ON}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
        status = b""
        while got := connection.recv(1):  # until the copy has ended
            status = got
        for number, handler in before.items():
            signal.signal(number, handler)
    return status[0] if status else 128 + (sent[-1] if sent else signal.SIGKILL)


def copy_for_jobs(
    listening: socket.socket, *, load: Callable[[list[str]], Sequence[str]], do: Callable[[list[str]], None]
) -> None:
    """Copy this process for each job that asks for it, until its standard input ends.

    Parameters
    ----------
    listening
        The socket.
    load
        Names, of the words of a job, the modules that are imported before the copy is made.
    do
        Does a job, in the copy.
    """
    end_at_once()  # to take the libraries of each copy apart takes a second
    for number in _HANDED_ON:
        signal.signal(number, signal.SIG_IGN)  # it ends with the run, and leaves nothing
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        connection, _ = listening.accept()
        try:
            size, files, *_ = socket.recv_fds(connection, 4, 3)
            job = json.loads(_receive(connection, int.from_bytes(size, "big")))
        except OSError:  # whoever asked has gone
            connection.close()
            continue
        for module in load(job["words"]):
            with suppress(Exception):  # the job will say what is wrong with it
                importlib.import_module(module)
        gc.freeze()  # what a copy does not look through stays shared with it
        if os.fork() == 0:
            listening.close()
            _stand_in(job["folder"], job["environment"], files, connection)
            _do_and_tell(do, job["words"], connection)
        connection.close()
        for file in files:
            os.close(file)
        _forget_ended()
    shutil.rmtree(Path(listening.getsockname()).parent, ignore_errors=True)


def _stand_in(folder: str, environment: dict[str, str], files: list[int], connection: socket.socket) -> None:
    """Take, in a copy, the place of the process that asked for it, and end when that one does."""
    os.setsid()  # what the terminal sends comes by the process that asked, once
    for sent in _HANDED_ON:
        signal.signal(sent, signal.default_int_handler if sent == signal.SIGINT else signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)

    def end_with_it() -> None:
        connection.recv(1)  # nothing ever comes
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        connection.sendall(os.getpid().to_bytes(4, "big"))
    except OSError:  # whoever asked has gone
        os._exit(1)
    threading.Thread(target=end_with_it, daemon=True).start()


def _do_and_tell(do: Callable[[list[str]], None], words: list[str], connection: socket.socket) -> NoReturn:
    """Do the job, tell the process that waits how it ended, and end as Python ends."""
    status = 1
    try:
        do(words)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        ends_with(status)
        connection.sendall(bytes([status]))
        connection.detach()  # it is closed by the end of the process, and no earlier
    sys.exit()


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = connection.recv(size - len(received))
        if not more:
            raise ConnectionResetError
        received += more
    return received


def _forget_ended() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
