"""A made-up history as it is exported, for tests that tamper with it."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.history import Event
from domain.json import Json
from domain.seals import NOTHING_BEFORE, Seal, leaf, record_of, root_of
from vault.anchors import written
from vault.signing import SigningKey
from vault.verifying import end_bytes

TENANT = "acme"
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = SigningKey(b"a seed of the tests, 32 bytes ..")
Line = dict[str, Json]
Tampering = Callable[[list[Line]], None]


def event(position: int) -> Event:
    """One line of history, with something in most of its fields."""
    return Event(
        id=UUID(int=position),
        position=position,
        occurred_at=START + timedelta(milliseconds=position),
        type="execution.succeeded" if position % 2 else "execution.started",
        actor="user:ada" if position % 3 else "agent:ü",
        agent_id=UUID(int=position % 5) if position % 5 else None,
        integration="harbour",
        action="harbour.moor",
        execution_id=UUID(int=position // 2 + 1),
        parameters_hash=bytes([position % 256] * 32),
        status="SUCCEEDED" if position % 2 else "RUNNING",
        duration_ms=position % 100,
    )


def sealed(number: int, first: int, last: int, previous: Seal | None, key: SigningKey = KEY) -> Seal:
    """Over the made-up events."""
    leaves = [leaf(record_of(TENANT, event(place))) for place in range(first, last + 1)]
    before = previous.digest() if previous else NOTHING_BEFORE
    made = (TENANT, number, first, last, root_of(leaves), before, event(last).occurred_at, key.public.id)
    return Seal(*made, key.sign(Seal(*made).signed_bytes()))


def export(records: int, each: int, unsealed: int = 0) -> list[Line]:
    """As many records, sealed so many at a time, the last ones not yet."""
    lines: list[Line] = [{"kind": "key", "public": KEY.public.text}]
    newest, number = None, 0
    for first in range(1, records + 1, each):
        last = min(first + each - 1, records)
        number += 1
        newest = sealed(number, first, last, newest)
        lines += [{"kind": "record", **record_of(TENANT, event(place))} for place in range(first, last + 1)]
        lines.append({"kind": "seal", **json.loads(written(newest))})
    young = range(records + 1, records + unsealed + 1)
    lines += [{"kind": "record", **record_of(TENANT, event(place))} for place in young]
    lines.append(end(records + unsealed, number))
    return lines


def end(records: int, seals: int) -> Line:
    """The signed last line."""
    said: Line = {"tenant": TENANT, "records": records, "seals": seals}
    return {"kind": "end", **said, "signature": base64.b64encode(KEY.sign(end_bytes(said))).decode()}
