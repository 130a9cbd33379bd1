"""Processes of a measurement: pinned to a core, watched from outside, and ended with it.

The server under test has core 0 to itself; load, simulated service, PostgreSQL and Redis share core 1. Where there is
only one core, or the system cannot pin, everything shares what there is, and the report says so.
"""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

SERVER_CORE, LOAD_CORE = 0, 1
_PATIENCE_SECONDS = 60

# Nobody pins on macOS, and not everybody has /proc.
_CAN_PIN = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) >= 2
_HAS_PROC = Path("/proc/self/stat").exists()


def is_pinned() -> bool:
    """Whether measurements keep server and load apart."""
    return _CAN_PIN


def settle_on(core: int) -> None:
    """Put this process, and whatever it starts from now on, on a core."""
    if _CAN_PIN:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Whatever is started inside inherits the core."""
    if not _CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Process:
    """A program of ours that serves on a port."""

    def __init__(self, started: "subprocess.Popen[bytes]", port: int, log: IO[bytes], spawned_at: float) -> None:
        self._started = started
        self._log = log
        self.port = port
        self.spawned_at = spawned_at

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """What it has used so far, in user and system; 0 where the system does not tell."""
        if not _HAS_PROC:
            return 0.0
        fields = Path(f"/proc/{self._started.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Resident memory; 0 where the system does not tell."""
        if not _HAS_PROC:
            return 0.0
        status = Path(f"/proc/{self._started.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def answer(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """One request's answer. Raises OSError or HTTPException, and RuntimeError for any status but 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {response.status}: {answer[:300]!r}")
        return answer

    def ready(self) -> float:
        """Wait until `/healthz` answers; the moment at which it did (perf_counter)."""
        late = time.perf_counter() + _PATIENCE_SECONDS
        while time.perf_counter() < late:
            if self._started.poll() is not None:
                raise RuntimeError(f"it ended with {self._started.returncode}: {self.last_words()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.answer("GET", "/healthz")
                return time.perf_counter()
            time.sleep(0.002)
        raise RuntimeError(f"it does not answer: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it printed."""
        self._log.seek(0)
        return self._log.read()[-3000:].decode(errors="replace")

    def end(self) -> None:
        self._started.terminate()
        try:
            self._started.wait(10)
        except subprocess.TimeoutExpired:
            self._started.kill()
            self._started.wait()
        self._log.close()


@contextlib.contextmanager
def running(
    module: str, *arguments: str, core: int = SERVER_CORE, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """`python -m MODULE PORT ARGUMENTS…` on a core, for as long as the block lasts."""
    port = free_port()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    words: Sequence[str] = [sys.executable, "-m", module, str(port), *arguments]
    with on_core(core):
        spawned_at = time.perf_counter()
        started = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
    process = Process(started, port, log, spawned_at)
    try:
        yield process
    finally:
        process.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
