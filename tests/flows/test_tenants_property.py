"""Promise A1 as a property: whatever is asked with another tenant's ids and cursors is answered, byte for byte but the
id, like what is asked with ids and cursors that never were.

Operations and their parts are drawn from the served schema, so a new one is in it from the first day.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.history import cursor_of
from schema.pages import id_cursor
from tests.flows.test_tenants import Theirs, theirs
from tests.support.gateways import Client, RunningGateway
from tests.support.samples import document, operations

__all__ = ["theirs"]  # a fixture of the tests beside this one

OPERATIONS = operations()
KINDS = ("con", "agt", "grt", "key", "exe", "apr", "ses", "evt")
_VARYING = re.compile(rb"[a-z]{3}_[0-9a-f]{32}|tenant-[0-9a-f]+|[0-9a-f]{64}|20\d\d-\d\d-\d\dT[0-9:.]+(?:Z|[+]00:00)")


@dataclass(frozen=True)
class Case:
    """What is asked. `kind` of id wherever one is wanted, None for the fitting one; `parts` says what else is given."""

    operation: tuple[str, str]
    kind: str | None
    is_row_cursor: bool
    parts: int
    by_socket: bool

    def wants(self, part: str) -> bool:
        """The same parts for both sides, whatever their order."""
        return bool((self.parts >> (sum(part.encode()) % 16)) & 1)


cases = st.builds(
    Case,
    st.sampled_from(OPERATIONS),
    st.none() | st.sampled_from(KINDS),
    st.booleans(),
    st.integers(0, 2**16 - 1),
    st.booleans(),
)


def _masked(answer: bytes) -> bytes:
    return _VARYING.sub(b"*", answer)


async def _asked(client: Client, case: Case, ids: Mapping[str, str]) -> bytes:
    """One answer; of a subscription what it opens with."""
    text, variables = document(*case.operation, ids, more=case.wants)
    if case.operation[0] != "subscription" and not case.by_socket:
        return (await client.post(text, variables)).content
    async with client.socket() as socket:
        await socket.subscribe(text, variables)
        message = await socket.receive()
    return json.dumps(message).encode()


def _theirs(case: Case, theirs: Theirs) -> dict[str, str]:
    """Their ids, and a cursor that leads to something of theirs."""
    ids = {**theirs.ids, **({"any": theirs.ids[case.kind]} if case.kind else {})}
    row = id_cursor(UUID(hex=theirs.ids["con"][4:]))
    return {**ids, "cursor": row if case.is_row_cursor else theirs.cursor}


def _nobodys(case: Case) -> dict[str, str]:
    ids = {kind: f"{kind}_{uuid4().hex}" for kind in KINDS}
    cursor = id_cursor(uuid4()) if case.is_row_cursor else cursor_of(10**9)
    return {**ids, **({"any": ids[case.kind]} if case.kind else {}), "cursor": cursor}


async def holds(gateway: RunningGateway, theirs: Theirs, case: Case) -> None:
    """Fails when the two answers differ, or when something of theirs is in one."""
    both = (_theirs(case, theirs), _nobodys(case))
    # Each asks as a tenant of its own that has nothing, so that what one does is not seen by the other.
    foreign, unknown = await asyncio.gather(*(_asked(gateway.client(), case, ids) for ids in both))
    assert _masked(foreign) == _masked(unknown), case
    assert b"lin-harbour" not in foreign, case
    assert b"INTERNAL" not in foreign, (case, foreign)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=cases)
async def test_foreign_is_answered_like_missing(gateway: RunningGateway, theirs: Theirs, case: Case) -> None:
    await holds(gateway, theirs, case)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: ".".join(each))
async def test_every_operation_with_everything_it_takes(
    gateway: RunningGateway, theirs: Theirs, operation: tuple[str, str]
) -> None:
    for parts in (0, 2**16 - 1):
        await holds(gateway, theirs, Case(operation, None, is_row_cursor=True, parts=parts, by_socket=False))


async def test_the_same_question_of_its_owner_is_answered_otherwise(gateway: RunningGateway, theirs: Theirs) -> None:
    """The control: what is asked above finds something when it is one's own."""
    seen = 0
    for kind in ("con", "agt", "grt", "exe", "apr", "ses", "evt"):
        case = Case(("query", "node"), kind, is_row_cursor=True, parts=0, by_socket=False)
        own = await _asked(theirs.owner, case, _theirs(case, theirs))
        seen += own != await _asked(gateway.client(), case, _theirs(case, theirs))
    assert seen == 7
