"""Program of two processes: a child that runs stages, and its parent, the guard, which kills it and its descendants.

Usage: python -m vaserl.curation.job.stage_guard CONNECTION LIFELINE REPORT MEMORY

The first three arguments are file descriptors: a socket for batches, the reading end of a pipe that the caller keeps
open, and a pipe to which the guard writes. MEMORY is a limit in bytes.

The program forks before it has imported anything. The child builds the stages and answers batches on the connection;
it may crash, hang, or leave programs behind that run in sessions of their own. The guard imports no library that could
crash or hang. It waits for one of three events: the child ends; the child and its descendants exceed the memory limit;
or the pipe LIFELINE is closed, because the caller closed it or was itself killed. Then the guard kills and reaps every
descendant, orphans included (it is their subreaper), writes to the pipe REPORT how the child ended, and exits.

Linux only: prctl and /proc/…/children.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

_LOOK_EVERY_S = 0.2
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(connection: int, lifeline: int, report: int, memory_bytes: int) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    guard = os.getpid()
    worker = os.fork()
    if worker:
        os.close(connection)
        _guard(worker, lifeline, woken, report, memory_bytes)
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for handle in (lifeline, report, woken, wake):
        os.close(handle)
    # if the guard itself is killed, no other process would end this one
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != guard:
        os._exit(1)
    # the kernel is to kill this process first when memory runs out: that loses one row, any other process the whole job
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    _serve(Connection(connection))


def _serve(connection: Connection) -> None:
    """Receives the pickled stages, then messages (index of stage, batch) until the connection closes.

    Sends ("ready", None) once the stages have arrived. Answers each batch with ("made", None) once the stage is built,
    and then with one of ("done", (batch, seconds)), ("user_error", message) and ("failed", traceback).
    """
    import pickle
    import time

    from vaserl.errors import UserError

    makers = connection.recv()
    stages = {}
    connection.send(("ready", None))
    while True:
        try:
            index, batch = connection.recv()
        except EOFError:
            return
        try:
            if index not in stages:
                make, arguments = pickle.loads(makers[index])
                stages[index] = make(*arguments)
            connection.send(("made", None))
            started = time.perf_counter()
            answer = stages[index](batch)
            connection.send(("done", (answer, time.perf_counter() - started)))
        except UserError as error:
            connection.send(("user_error", str(error)))
        except Exception:
            connection.send(("failed", traceback.format_exc()))


def _guard(worker: int, lifeline: int, woken: int, report: int, memory_bytes: int) -> None:
    status, over_memory = None, False
    while status is None and not over_memory:
        ready, _, _ = select.select([lifeline, woken], [], [], _LOOK_EVERY_S)
        if lifeline in ready:
            break
        if woken in ready:
            os.read(woken, 4096)
            status = _reap(worker)
        over_memory = sum(_resident(pid) for pid in _descendants(os.getpid())) > memory_bytes
    last = _end_all(worker)
    status = last if status is None else status
    os.write(report, json.dumps({"status": status, "over_memory": over_memory}).encode())


def _reap(worker: int) -> int | None:
    """Reaps exited children. Returns: the wait status of the child `worker`; None if it was not among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if pid == worker:
                status = ended
            if pid == 0:
                break
    return status


def _end_all(worker: int) -> int | None:
    """Kills and reaps all descendants, new ones included.

    Returns: the wait status of the child `worker`; None if it had been reaped before.
    """
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            pid, ended = os.waitpid(-1, 0)  # raises when no child is left; orphans become children of this process
            if pid == worker:
                status = ended
    return status


def _descendants(pid: int) -> Iterator[int]:
    children = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children += map(int, file.read().split())
    for child in children:
        yield child
        yield from _descendants(child)


def _resident(pid: int) -> int:
    """Returns the resident memory of a process in bytes; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
