"""Watches the memory in use on the GPUs of this machine, of all processes together, as the driver reports it."""

import shutil
import subprocess
import threading
from types import TracebackType

from vaserl.errors import UserError

_EVERY_MS = 100
_QUERY = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
_MIB_IN_GIB = 1024


class GpuMemoryWatch:
    """The highest memory in use on any GPU while the `with` block runs, read ten times a second.

    A benchmark's own count, such as torch's, would leave out the engine, the encoder and the processes' contexts.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._highest = 0.0

    @property
    def has_gpu(self) -> bool:
        """True if this machine has a driver whose figures can be read."""
        return shutil.which(_QUERY[0]) is not None

    @property
    def peak_gib(self) -> float:
        """Highest memory in use on a GPU since the block began or `restart` was called; 0 without a GPU."""
        return self._highest / _MIB_IN_GIB

    def restart(self) -> None:
        """Forgets the peak so far."""
        self._highest = 0.0

    def __enter__(self) -> "GpuMemoryWatch":
        if self.has_gpu:
            command = [*_QUERY, f"--loop-ms={_EVERY_MS}"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._thread:
            has_failed = self._process.poll() is not None
            self._process.terminate()
            self._process.wait()
            self._thread.join()
            if self._process.stdout:
                self._process.stdout.close()
            if has_failed and error is None:
                raise UserError(f"{_QUERY[0]} ended with exit code {self._process.returncode}: no GPU memory was read")

    def _read(self) -> None:
        assert self._process and self._process.stdout
        for line in self._process.stdout:
            if line.strip().isdecimal():
                self._highest = max(self._highest, float(line))
