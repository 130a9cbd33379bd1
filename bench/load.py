"""HTTP load from core 1: through wrk where it is installed (package `wrk`), else through `bench.generator`.

Requests are taken in turn from a list, so that a run meets every connection it seeded.
"""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.machine import LOAD_CORE, Process, on_core


@dataclass(frozen=True)
class Message:
    """One request of a load."""

    path: str
    headers: Mapping[str, str]
    body: str

    def text(self, host: str) -> str:
        """As it goes over the wire."""
        fields = {
            "host": host,
            "content-type": "application/json",
            "content-length": str(len(self.body)),
            **self.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n{self.body}"


@dataclass(frozen=True)
class Reading:
    """One figure: per second, milliseconds, and the server's own CPU in microseconds a request."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float
    requests: int


def median(readings: Sequence[Reading]) -> Reading:
    """Each figure's own median; errors and requests add up."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in readings))

    return Reading(
        middle("rate"),
        middle("p50_ms"),
        middle("p99_ms"),
        sum(each.errors for each in readings),
        middle("cpu_us"),
        sum(each.requests for each in readings),
    )


def tool() -> str:
    return "wrk" if shutil.which("wrk") else "bench.generator (install the package `wrk` for less load from the load)"


def load(server: Process, messages: Sequence[Message], callers: int, seconds: float, folder: Path) -> Reading:
    """So many callers at once, each sending its next request when the answer came."""
    texts = [each.text(urlsplit(server.url).netloc) for each in messages]
    before = server.cpu_seconds()
    with on_core(LOAD_CORE):
        told = (
            _wrk(server, texts, callers, seconds, folder)
            if shutil.which("wrk")
            else _own(server, texts, callers, seconds, folder)
        )
    used = server.cpu_seconds() - before
    requests = int(told["requests"])
    return Reading(
        requests / told["seconds"],
        told["p50_ms"],
        told["p99_ms"],
        int(told["errors"]),
        used / max(requests, 1) * 1e6,
        requests,
    )


_LUA = """
local texts = { %s }
local turn = 0
function request()
  turn = turn %% #texts + 1
  return texts[turn]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nTOLD {"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def _wrk(server: Process, texts: Sequence[str], callers: int, seconds: float, folder: Path) -> dict[str, float]:
    script = folder / "load.lua"
    script.write_text(_LUA % ",\n".join(_quoted(text) for text in texts))
    words = ["wrk", "-t1", f"-c{callers}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script), server.url]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))
    return dict(json.loads(line.removeprefix("TOLD ")))


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() or c in " :.-_/{}[]()$,!" else f"\\{ord(c):03d}" for c in text) + '"'


def _own(server: Process, texts: Sequence[str], callers: int, seconds: float, folder: Path) -> dict[str, float]:
    file = folder / "load.json"
    file.write_text(json.dumps(list(texts)))
    words = [sys.executable, "-m", "bench.generator", str(server.port), str(file), str(callers), str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
