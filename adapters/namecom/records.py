"""The DNS records of one domain at name.com, and how to make them what somebody wants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from adapters._kit import Call
from adapters._kit.call import given
from adapters.namecom.results import Record
from domain.errors import Rejected
from domain.json import Json

Type = Literal["A", "AAAA", "ANAME", "CNAME", "MX", "NS", "SRV", "TXT"]

_PATH = "core/v1/domains/{domain}/records"
_ONE = _PATH + "/{record_id}"
_WITH_PRIORITY = ("MX", "SRV")
_MOST_RECORDS = 10_000


def relative(host: str, domain: str) -> str:
    """The host as name.com wants it, within the domain: agents often give the full name."""
    host = host.lower()
    if host in ("@", domain):
        return "@"
    return host.removesuffix(f".{domain}")


class Change(NamedTuple):
    """A record that stays under its id and gets another answer."""

    record_id: int
    answer: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What leads from the records there are to those wanted."""

    keep: tuple[Record, ...]
    change: tuple[Change, ...]
    add: tuple[str, ...]
    remove: tuple[Record, ...]


def plan(there: Sequence[Record], type: Type, values: Sequence[str], ttl: int, priority: int | None) -> Plan:
    """The fewest calls: records with a wanted answer stay or are corrected, others are rewritten before any
    is added.
    """
    keep: list[Record] = []
    change: list[Change] = []
    spare: list[Record] = []
    wanted = {_same(type, value): value for value in values}
    for record in there:
        value = wanted.pop(_same(type, record.answer), None)
        if value is None:
            spare.append(record)
        elif record.ttl == ttl and (type not in _WITH_PRIORITY or record.priority == priority):
            keep.append(record)
        else:
            change.append(Change(record.id, value))
    missing = list(wanted.values())
    change += [Change(record.id, value) for record, value in zip(spare, missing, strict=False)]
    reused = min(len(spare), len(missing))
    return Plan(tuple(keep), tuple(change), tuple(missing[reused:]), tuple(spare[reused:]))


class Records:
    """The records of one domain. Methods raise ProviderProblem."""

    def __init__(self, call: Call, domain: str) -> None:
        self._call = call
        self._domain = domain

    async def all(self, limit: int = _MOST_RECORDS) -> list[Record]:
        """As name.com lists them."""
        found = await self._call.pages(_PATH, limit=limit, items="records", domain=self._domain)
        return [Record.of(each) for each in found]

    async def create(self, type: Type, host: str, answer: str, ttl: int, priority: int | None) -> Record:
        """Add one."""
        body = _body(type, host, answer, ttl, priority)
        return Record.of((await self._call.post(_PATH, json=body, domain=self._domain)).json)

    async def replace(
        self, record_id: int, type: Type, host: str, answer: str, ttl: int, priority: int | None
    ) -> Record:
        """Put a whole record in the place of another, keeping its id."""
        body = _body(type, host, answer, ttl, priority)
        return Record.of((await self._call.put(_ONE, json=body, domain=self._domain, record_id=record_id)).json)

    async def delete(self, record_id: int) -> None:
        """Remove one."""
        await self._call.delete(_ONE, domain=self._domain, record_id=record_id)

    async def make(self, type: Type, host: str, values: Sequence[str], ttl: int, priority: int | None) -> list[Record]:
        """Make those of one type and host exactly these; deletes last, so that no name ever stands empty."""
        _check_priority(type, priority)
        there = [record for record in await self.all() if record.type == type and record.host.lower() == host]
        steps = plan(there, type, values, ttl, priority)
        made = list(steps.keep)
        made += [await self.replace(each.record_id, type, host, each.answer, ttl, priority) for each in steps.change]
        made += [await self.create(type, host, answer, ttl, priority) for answer in steps.add]
        for record in steps.remove:
            await self.delete(record.id)
        return sorted(made, key=lambda record: record.id)


def _body(type: Type, host: str, answer: str, ttl: int, priority: int | None) -> dict[str, Json]:
    _check_priority(type, priority)
    needed = priority if type in _WITH_PRIORITY else None
    return given(type=type, host=host, answer=answer, ttl=ttl, priority=needed)


def _check_priority(type: Type, priority: int | None) -> None:
    if type in _WITH_PRIORITY and priority is None:
        raise Rejected(f"{type} records need a `priority`.")


def _same(type: Type, answer: str) -> str:
    """Answers that mean the same compare equal: names in any letter case, with the final dot or without."""
    return answer if type == "TXT" else answer.lower().rstrip(".")
