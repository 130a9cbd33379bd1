"""The DNS records of one domain at name.com, and how to make them what somebody wants."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from adapters._kit import Call, given
from adapters._kit.registrar import Record
from adapters._kit.zone import Wanted, plan, relative
from adapters.namecom.results import record_of
from domain.json import Json

Type = Literal["A", "AAAA", "ANAME", "CNAME", "MX", "NS", "SRV", "TXT"]

_PATH = "core/v1/domains/{domain}/records"
_ONE = _PATH + "/{record_id}"
_MOST_RECORDS = 10_000


class Records:
    """The records of one domain. Methods raise ProviderProblem."""

    def __init__(self, call: Call, domain: str) -> None:
        self._call = call
        self._domain = domain

    async def all(self, limit: int = _MOST_RECORDS) -> list[Record]:
        """As name.com lists them."""
        found = await self._call.pages(_PATH, limit=limit, items="records", domain=self._domain)
        return [record_of(each) for each in found]

    async def create(self, wanted: Wanted) -> Record:
        """Add one."""
        return record_of((await self._call.post(_PATH, json=self._body(wanted), domain=self._domain)).json)

    async def replace(self, record_id: str, wanted: Wanted) -> Record:
        """Put a whole record in the place of another, keeping its id."""
        body = self._body(wanted)
        return record_of((await self._call.put(_ONE, json=body, domain=self._domain, record_id=record_id)).json)

    async def delete(self, record_id: str) -> None:
        """Remove one."""
        await self._call.delete(_ONE, domain=self._domain, record_id=record_id)

    async def make(self, wanted: Wanted, values: Sequence[str]) -> list[Record]:
        """Make those of one type and host exactly these values; deletes last, so that no name ever stands empty."""
        wanted.told_priority()
        place = (wanted.type, relative(wanted.host, self._domain))
        there = [each for each in await self.all() if (each.type, relative(each.host, self._domain)) == place]
        steps = plan(there, wanted.type, values, wanted.is_met_by)
        made = list(steps.keep)
        made += [await self.replace(record.id, replace(wanted, answer=answer)) for record, answer in steps.change]
        made += [await self.create(replace(wanted, answer=answer)) for answer in steps.add]
        for record in steps.remove:
            await self.delete(record.id)
        return sorted(made, key=lambda record: record.answer)

    def _body(self, wanted: Wanted) -> dict[str, Json]:
        """What name.com is told about a record. Raises Rejected when a priority is missing."""
        return given(
            type=wanted.type,
            host=relative(wanted.host, self._domain),
            answer=wanted.answer,
            ttl=wanted.ttl,
            priority=wanted.told_priority(),
        )
