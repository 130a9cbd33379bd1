"""The name.com integration before its sandbox."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.namecom.sandbox import sandbox
from adapters.namecom.sandbox_state import TOKEN, USERNAME
from domain.catalogue import Account
from tests.support.overheard import Connected, TwoSided, connected

DESCRIPTION = TwoSided.read(Path(__file__).with_name("description.json"))
# name.com's description leaves refusals out here and there (401 for records, 404 for a domain); those must have the
# shape that its other refusals have.
_REFUSAL = DESCRIPTION.document["paths"]["/core/v1/domains"]["post"]["responses"]["404"]
for _methods in DESCRIPTION.document["paths"].values():
    for _operation in _methods.values():
        _operation["responses"]["default"] = _REFUSAL


@asynccontextmanager
async def open_shop(
    state_file: Path | None = None,
    *,
    per_hour: int = 3000,
    now: Callable[[], float] = lambda: 1_800_000_000.0,
) -> AsyncIterator[Connected]:
    """A new sandbox, connected as the first account."""
    app = sandbox(state_file, per_second=10_000, per_hour=per_hour, now=now)
    fields = {"username": USERNAME, "token": TOKEN}
    async with connected("namecom", app, DESCRIPTION, fields, Account(USERNAME, USERNAME)) as shop:
        yield shop
