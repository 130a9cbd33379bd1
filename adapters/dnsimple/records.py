"""The DNS records of one zone at DNSimple, and how to make them what somebody wants."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from adapters._kit import Call, given
from adapters._kit.zone import Wanted, plan, relative
from adapters.dnsimple.results import Changes, Record, record_of
from domain.errors import Rejected
from domain.json import Json

Type = Literal["A", "AAAA", "ALIAS", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"]

_PATH = "{account}/zones/{zone}/records"
_ONE = _PATH + "/{record_id}"
_BATCH = "{account}/zones/{zone}/batch"
_MOST_RECORDS = 5_000


class Records:
    """The records of one zone. Methods raise ProviderProblem."""

    def __init__(self, call: Call, domain: str) -> None:
        self._call = call
        self._domain = domain
        self._account = call.account_id

    async def all(self, limit: int = _MOST_RECORDS, **narrowed: str) -> list[Record]:
        """As DNSimple lists them; `name` and `type` narrow the list to those that equal them."""
        found = await self._call.pages(
            _PATH, limit=limit, items="data", query=narrowed, account=self._account, zone=self._domain
        )
        return [record_of(each) for each in found]

    async def create(self, wanted: Wanted) -> Record:
        """Add one."""
        body = self.body(wanted)
        answer = await self._call.post(_PATH, json=body, account=self._account, zone=self._domain)
        return record_of(_object(answer.at("data")))

    async def replace(self, record_id: str, wanted: Wanted) -> Record:
        """Make one what is wanted, keeping its id. A record's type cannot be changed at DNSimple."""
        body = self.body(wanted)
        account, zone = self._account, self._domain
        found = await self._call.get(_ONE, account=account, zone=zone, record_id=record_id)
        there = record_of(_object(found.at("data")))
        if there.type != wanted.type:
            message = f"This is a record of type {there.type}. DNSimple cannot change the type: delete it, and create."
            raise Rejected(message)
        body = _without_type(body)
        answer = await self._call.patch(_ONE, json=body, account=account, zone=zone, record_id=record_id)
        return record_of(_object(answer.at("data")))

    async def delete(self, record_id: str) -> None:
        """Remove one."""
        await self._call.delete(_ONE, account=self._account, zone=self._domain, record_id=record_id)

    async def batch(self, creates: Sequence[Json], updates: Sequence[Json], deletes: Sequence[str]) -> Changes:
        """All of it or nothing, in one request."""
        body: dict[str, Json] = {
            "creates": list(creates),
            "updates": list(updates),
            "deletes": [{"id": int(each)} for each in deletes],
        }
        body = {name: steps for name, steps in body.items() if steps}
        answer = await self._call.post(_BATCH, json=body, account=self._account, zone=self._domain)
        return Changes(
            created=[record_of(each) for each in answer.objects("data.creates")],
            updated=[record_of(each) for each in answer.objects("data.updates")],
            deleted=list(deletes),
        )

    async def make(self, wanted: Wanted, values: Sequence[str]) -> list[Record]:
        """Make those of one type and host exactly these values, all at once."""
        wanted.told_priority()
        named = await self.all(name=self._name(wanted.host), type=wanted.type)
        # DNSimple's own cannot be changed, and the children of others come and go with those.
        mine = [each for each in named if each.host == relative(wanted.host, self._domain)]
        there = [each for each in mine if not each.system and each.parent_id is None]
        steps = plan(there, wanted.type, values, wanted.is_met_by)
        updates: list[Json] = [
            {"id": int(each.record.id), **_without_type(self.body(replace(wanted, answer=each.answer)))}
            for each in steps.change
        ]
        creates: list[Json] = [self.body(replace(wanted, answer=answer)) for answer in steps.add]
        deletes = [each.id for each in steps.remove]
        made = list(steps.keep)
        if updates or creates or deletes:
            done = await self.batch(creates, updates, deletes)
            made += [*done.created, *done.updated]
        return sorted(made, key=lambda record: record.answer)

    def body(self, wanted: Wanted) -> dict[str, Json]:
        """What DNSimple is told about a record. Raises Rejected when a priority is missing."""
        return given(
            type=wanted.type,
            name=self._name(wanted.host),
            content=wanted.answer,
            ttl=wanted.ttl,
            priority=wanted.told_priority(),
        )

    def _name(self, host: str) -> str:
        within = relative(host, self._domain)
        return "" if within == "@" else within


def _without_type(body: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != "type"}


def _object(found: Json) -> dict[str, Json]:
    """An object, or what makes a result say that it is none."""
    return found if isinstance(found, dict) else {}
