"""The long runs: `make soak`, or `python -m tests.soak [--rounds N] [NAME …]`. One line for each figure.

Uses DATABASE_URL when set, else a PostgreSQL of its own. Ends with 1 when a promise was not kept.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from db.embedded import EmbeddedPostgres
from db.migrating import migrate
from tests.soak import fairness, kills, outages, retries, tenants
from tests.soak.telling import Tally
from tests.support.servers import new_database

RUNS = {
    "kills": kills.run,
    "poison": kills.poison,
    "drain": kills.drain,
    "keys": kills.keys,
    "outages": outages.run,
    "retries": retries.run,
    "fairness": fairness.run,
    "tenants": tenants.run,
}


def main() -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Long runs against the promises.")
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], help="which; all without a word")
    parser.add_argument("--rounds", type=int, default=25, help="how often each step is died at (default 25)")
    asked = parser.parse_args()
    with _postgres() as address:
        return asyncio.run(_all(address, asked.names or list(RUNS), asked.rounds))


async def _all(address: str, names: list[str], rounds: int) -> int:
    tally = Tally()
    async with new_database(address) as template:
        await migrate(template)
        for name in names:
            with tempfile.TemporaryDirectory(prefix="mandate-soak-") as folder:
                async with new_database(address, urlsplit(template).path.lstrip("/")) as database:
                    await RUNS[name](database, Path(folder), rounds, tally)
    return 1 if tally.has_failed else 0


@contextmanager
def _postgres() -> Iterator[str]:
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="mandate-soak-") as folder, EmbeddedPostgres(Path(folder)) as server:
        yield server.start()


if __name__ == "__main__":
    sys.exit(main())
