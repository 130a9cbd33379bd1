"""Print every figure beside a limit or a peer measured in the same run.

    python -m bench [NAMES…] [--seconds 3] [--repetitions 3]

Names: execute, catalogue, fanout, deaf, credential, startup, client, mcp. Without any: all of them. What each means,
and what keeps it honest, stands in bench/README.md.
"""

import argparse
import importlib
import os
import platform
import signal
import sys

import uvloop

from bench import stores
from bench.load import tool
from bench.machine import LOAD_CORE, is_pinned, settle_on
from bench.options import Options

#: In this order. Each is a module with `measure(servers, options)`.
NAMES = ("execute", "catalogue", "fanout", "deaf", "credential", "startup", "client", "mcp")


async def run(names: list[str], options: Options) -> None:
    async with stores.opened() as servers:
        for name in names:
            await importlib.import_module(f"bench.{name}").measure(servers, options)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all without")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long one reading takes (default 3)")
    parser.add_argument("--repetitions", type=int, default=3, help="readings of each, median told (default 3)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"{unknown[0]} is not measured here. There are: {', '.join(NAMES)}.")
    settle_on(LOAD_CORE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    where = (
        "server on core 0, everything else on core 1" if is_pinned() else "NOT pinned: read the figures as upper bounds"
    )
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {where}; load: {tool()}")
    uvloop.run(run(asked.names or list(NAMES), Options(asked.seconds, asked.repetitions)))


if __name__ == "__main__":
    main()
