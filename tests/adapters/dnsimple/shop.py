"""The DNSimple integration before its sandbox."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.dnsimple.sandbox import sandbox
from adapters.dnsimple.sandbox_state import ACCOUNT_ID, EMAIL, TOKEN
from domain.catalogue import Account
from tests.support.overheard import Connected, TwoSided, connected

DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))


class Clock:
    """Stands still until it is moved. Epoch seconds."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def open_shop(
    state_file: Path | None = None, *, per_hour: int = 2400, now: Callable[[], float] | None = None
) -> AsyncIterator[Connected]:
    """A new sandbox, connected as the first account."""
    app = sandbox(state_file, per_hour=per_hour, now=now or Clock())
    account = Account(str(ACCOUNT_ID), EMAIL)
    async with connected("dnsimple", app, DESCRIPTION, {"token": TOKEN}, account) as shop:
        yield shop
