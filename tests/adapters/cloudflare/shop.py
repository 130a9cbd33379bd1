"""The Cloudflare integration before its sandbox."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.cloudflare.sandbox import sandbox
from adapters.cloudflare.sandbox_state import ACCOUNT_ID, ACCOUNT_NAME, TOKEN
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
    state_file: Path | None = None, *, per_window: int = 1200, now: Callable[[], float] | None = None
) -> AsyncIterator[Connected]:
    """A new sandbox, connected as the first account."""
    app = sandbox(state_file, per_window=per_window, now=now or Clock())
    fields, account = {"token": TOKEN, "account_id": ACCOUNT_ID}, Account(ACCOUNT_ID, ACCOUNT_NAME)
    async with connected("cloudflare", app, DESCRIPTION, fields, account) as shop:
        yield shop
