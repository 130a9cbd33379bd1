"""The DNS records of one zone at Cloudflare, and how to make them what somebody wants."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from adapters._kit import Call, given
from adapters._kit import zone as names
from adapters._kit.pointing import find
from adapters._kit.zone import full, plan, relative, unquoted
from adapters.cloudflare.results import Record, record_of
from domain.errors import NotThere, Rejected
from domain.json import Json

Type = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"]

_PATH = "zones/{zone}/dns_records"
_ONE = _PATH + "/{record_id}"
_CAN_BE_PROXIED = ("A", "AAAA", "CNAME")
_AUTOMATIC = 1
_MOST_RECORDS = 2_500

_SRV = re.compile(r"(\d{1,5})\s+(\d{1,5})\s+(\S+)")
_CAA = re.compile(r"(\d{1,3})\s+([A-Za-z0-9]+)\s+(.+)")


@dataclass(frozen=True, slots=True)
class Wanted(names.Wanted):
    """A record as somebody wants it. `proxied` None: as it is, and not for a new one."""

    proxied: bool | None


class Records:
    """The records of one zone. Methods raise ProviderProblem."""

    def __init__(self, call: Call, domain: str, zone: str) -> None:
        self._call = call
        self._domain = domain
        self._zone = zone

    @classmethod
    async def of(cls, call: Call, domain: str, *wanted: Wanted) -> "Records":
        """Those of the zone with this name, in the connected account: a token may reach others'.

        Raises NotThere, and Rejected before anything is asked when what is wanted cannot be.
        """
        for each in wanted:
            _body(each, domain)
        query = {"name": domain, "account.id": call.account_id}
        for zone in (await call.get("zones", query=query)).objects("result"):
            identifier = zone.get("id")
            is_ours = find(zone, "account.id") == call.account_id and zone.get("name") == domain
            if is_ours and isinstance(identifier, str):
                return cls(call, domain, identifier)
        raise NotThere(f"Cloudflare keeps no zone {domain} in this account, or the token may not see it.")

    async def all(self, limit: int = _MOST_RECORDS, query: Mapping[str, str] | None = None) -> list[Record]:
        """As Cloudflare lists them."""
        found = await self._call.pages(_PATH, limit=limit, items="result", query=query, zone=self._zone)
        return [record_of(each, self._domain) for each in found]

    async def create(self, wanted: Wanted) -> Record:
        """Add one."""
        answer = await self._call.post(_PATH, json=_body(wanted, self._domain), zone=self._zone)
        return record_of(answer.at("result"), self._domain)

    async def replace(self, record_id: str, wanted: Wanted) -> Record:
        """Make one what is wanted, keeping its id. Comment and tags stay."""
        if wanted.proxied is None:
            found = await self._call.get(_ONE, zone=self._zone, record_id=record_id)
            there = record_of(found.at("result"), self._domain)
            wanted = replace(wanted, proxied=there.proxied and wanted.type in _CAN_BE_PROXIED)
        body = _body(wanted, self._domain)
        answer = await self._call.patch(_ONE, json=body, zone=self._zone, record_id=record_id)
        return record_of(answer.at("result"), self._domain)

    async def delete(self, record_id: str) -> None:
        """Remove one."""
        await self._call.delete(_ONE, zone=self._zone, record_id=record_id)

    async def make(self, wanted: Wanted, values: Sequence[str]) -> list[Record]:
        """Make those of one type and host exactly these values; deletes last, so that no name ever stands empty."""
        host = relative(wanted.host, self._domain)
        named = await self.all(query={"name.exact": full(wanted.host, self._domain), "type": wanted.type})
        there = [each for each in named if (each.type, each.host) == (wanted.type, host)]
        steps = plan(there, wanted.type, values, lambda record: _is_right(record, wanted))
        made = list(steps.keep)
        for record, answer in steps.change:
            proxied = record.proxied if wanted.proxied is None else wanted.proxied
            made.append(await self.replace(record.id, replace(wanted, answer=answer, proxied=proxied)))
        made += [await self.create(replace(wanted, answer=answer)) for answer in steps.add]
        for record in steps.remove:
            await self.delete(record.id)
        return sorted(made, key=lambda record: record.answer)


def _body(wanted: Wanted, domain: str) -> dict[str, Json]:
    """What Cloudflare is told about a record. Raises Rejected when it cannot be one."""
    priority = wanted.told_priority()
    proxied = bool(wanted.proxied)
    if proxied and wanted.type not in _CAN_BE_PROXIED:
        raise Rejected(f"Records of type {wanted.type} cannot be proxied: only {', '.join(_CAN_BE_PROXIED)} can.")
    return given(
        type=wanted.type,
        name=full(wanted.host, domain),
        ttl=_AUTOMATIC if proxied else wanted.ttl,  # Cloudflare takes no other for what it proxies
        proxied=proxied,
        **_answer(wanted, priority),
    )


def _answer(wanted: Wanted, priority: int | None) -> dict[str, Json]:
    """The answer, in parts where Cloudflare wants parts."""
    match wanted.type:
        case "SRV":
            parts = _SRV.fullmatch(wanted.answer.strip())
            if parts is None:
                raise Rejected('The answer of an SRV record is "weight port target", e.g. "5 5060 sip.example.org".')
            weight, port, target = parts.groups()
            return {
                "data": {
                    "priority": priority,
                    "weight": int(weight),
                    "port": int(port),
                    "target": target.rstrip("."),
                }
            }
        case "CAA":
            parts = _CAA.fullmatch(wanted.answer.strip())
            if parts is None:
                raise Rejected('The answer of a CAA record is flags, tag and value, e.g. 0 issue "ca.example.org".')
            flags, tag, value = parts.groups()
            return {"data": {"flags": int(flags), "tag": tag.lower(), "value": unquoted(value)}}
    return given(content=wanted.answer, priority=priority)


def _is_right(record: Record, wanted: Wanted) -> bool:
    proxied = record.proxied if wanted.proxied is None else wanted.proxied
    if record.proxied != proxied:
        return False
    # A proxied record has no time to live of its own.
    return wanted.has_priority_of(record) if proxied else wanted.is_met_by(record)
