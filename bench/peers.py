"""Servers in other languages, run by the Node of the Python wheel, with their packages from a lock file."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import SERVER_CORE, Process, free_port, on_core
from tests.support.node import NODE, install_locked

_FOLDER = Path(__file__).parent / "peers"


@contextlib.contextmanager
def mercurius(redis_url: str, catalogue: Path | None = None) -> Iterator[Process]:
    """mercurius with its JIT, fed from Redis; `catalogue` holds the answer whose data it hands out."""
    install_locked(_FOLDER)
    port = free_port()
    log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
    words = [str(NODE), "mercurius.mjs", str(port), redis_url, *([str(catalogue)] if catalogue else [])]
    with on_core(SERVER_CORE):
        spawned_at = time.perf_counter()
        started = subprocess.Popen(
            words, cwd=_FOLDER, stdout=log, stderr=log, env={**os.environ, "NODE_ENV": "production"}
        )
    process = Process(started, port, log, spawned_at)
    try:
        process.ready()
        yield process
    finally:
        process.end()
