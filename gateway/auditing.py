"""`mandate audit`: taking a tenant's history along, and checking it somewhere else."""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from db.seals import BEFORE_ALL
from db.store import Stores
from domain.errors import InvalidInput
from domain.history import Event
from domain.json import Json, JsonObject
from domain.seals import Seal, moment, record_of
from gateway.maintaining import anchors_of, maintenance
from gateway.settings import Settings
from vault.anchors import Anchors, written
from vault.receipts import check_place, check_receipt, is_receipt
from vault.signing import ALGORITHM, SigningKey
from vault.verifying import Report, check_export, end_bytes, last_seal

_PAGE = 500


async def export(settings: Settings, tenant: str, out: TextIO) -> int:
    """Write the whole history of a tenant; how many records. Raises Misconfigured, DependencyDown."""
    many = 0
    async with maintenance(settings) as tools:
        key = await tools.signing_key()
        async for line in lines(tools.stores, key, anchors_of(tools.home, key), tenant):
            many += line.startswith('{"kind": "record"')
            out.write(line + "\n")
    return many


async def lines(stores: Stores, key: SigningKey, anchors: Anchors | None, tenant: str) -> AsyncIterator[str]:
    """JSON lines: the key, records each followed by their seal, what this machine kept, the signed end."""
    yield _line("key", {"algorithm": ALGORITHM, "public": key.public.text, "id": key.public.id, "tenant": tenant})
    records = seals = 0
    after = BEFORE_ALL
    async for seal in _seals(stores, tenant):
        async for event in _events(stores, tenant, after, seal.last):
            yield _line("record", record_of(tenant, event))
            records, after = records + 1, event.position
        after = max(after, seal.last)
        yield _line("seal", json.loads(written(seal)))
        seals += 1
    async for event in _events(stores, tenant, after, None):
        yield _line("record", record_of(tenant, event))
        records += 1
    for seal in anchors.all_of(tenant) if anchors else []:
        yield _line("anchor", json.loads(written(seal)))
    yield _end(key, {"tenant": tenant, "records": records, "seals": seals, "exportedAt": moment(datetime.now(UTC))})


def verify(file: Path, against: Path | None, key_id: str | None) -> Report:
    """Check an export or a receipt, `against` an earlier or whole export. Raises InvalidInput when there is no file."""
    receipt = _as_receipt(file)
    if receipt is None:
        earlier = [last_seal(_read(against))] if against else []
        return check_export(_read(file), key_id, [seal for seal in earlier if seal is not None])
    report = check_receipt(receipt, key_id)
    if against is not None and report.is_whole:
        whole = check_export(_read(against), report.key_id)
        report.findings += whole.findings
        report.findings += check_place(receipt, _record_at(against, _place_of(receipt)))
    return report


async def _seals(stores: Stores, tenant: str) -> AsyncIterator[Seal]:
    number = 0
    while True:
        async with stores.of(tenant) as store:
            page = await store.seals.page(number, _PAGE)
        for seal in page:
            number = seal.number
            yield seal
        if len(page) < _PAGE:
            return


async def _events(stores: Stores, tenant: str, after: int, last: int | None) -> AsyncIterator[Event]:
    """Whatever there is after a place, up to another; rightly there or not."""
    while True:
        async with stores.of(tenant) as store:
            page = await store.seals.records(after, _PAGE, is_settled=False)
        for event in page:
            if last is not None and event.position > last:
                return
            after = event.position
            yield event
        if len(page) < _PAGE:
            return


def _line(kind: str, said: JsonObject) -> str:
    return json.dumps({"kind": kind, **said}, ensure_ascii=False)


def _end(key: SigningKey, said: JsonObject) -> str:
    return _line("end", {**said, "signature": base64.b64encode(key.sign(end_bytes(said))).decode()})


def _as_receipt(file: Path) -> dict[str, Json] | None:
    """The file's one object, if it is a receipt; an export is many lines."""
    first = next(iter(_read(file)), "")
    if first.startswith('{"kind"'):
        return None
    try:
        value = json.loads("".join(_read(file)))
    except ValueError:
        return None
    return value if is_receipt(value) else None


def _place_of(receipt: dict[str, Json]) -> Json:
    statement = receipt["statement"]
    place = statement["position"] if isinstance(statement, dict) else None
    return place["ended"] if isinstance(place, dict) else None


def _record_at(file: Path, place: Json) -> JsonObject | None:
    for line in _read(file):
        said = json.loads(line)
        if said.get("kind") == "record" and said.get("position") == place:
            return dict(said)
    return None


def _read(file: Path) -> Iterable[str]:
    if not file.is_file():
        raise InvalidInput(f"There is no file {file}.")
    return _lines_of(file)


def _lines_of(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        yield from opened
