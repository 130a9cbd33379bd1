"""DNS records as registrars keep them: names within a domain, and what leads from those there are to those wanted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from adapters._kit.registrar import Record
from domain.errors import Rejected

WITH_PRIORITY = ("MX", "SRV")

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\([\"\\])")

R = TypeVar("R", bound=Record)


def relative(host: str, domain: str) -> str:
    """The host within the domain, in lower case: agents and services often give the full name."""
    host = host.lower().rstrip(".")
    if host in ("", "@", domain):
        return "@"
    return host.removesuffix(f".{domain}")


def full(host: str, domain: str) -> str:
    """The name of a host within the domain, with the domain."""
    within = relative(host, domain)
    return domain if within == "@" else f"{within}.{domain}"


def unquoted(text: str) -> str:
    """The text of a TXT record: services may keep it as quoted strings (RFC 1035, section 5.1), people write none."""
    text = text.strip()
    parts = _QUOTED.findall(text)
    if not parts or _QUOTED.sub("", text).strip():
        return text
    return "".join(_ESCAPED.sub(r"\1", part) for part in parts)


def same(type: str, answer: str) -> str:
    """Answers that mean the same compare equal: names in any letter case, with the final dot or without."""
    if type == "TXT":
        return unquoted(answer)
    if type == "CAA":  # RFC 8659, section 4.1.1: the value may stand in quotes
        answer = answer.replace('"', "")
    return " ".join(answer.lower().rstrip(".").split())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record as somebody wants it."""

    type: str
    host: str
    answer: str
    ttl: int
    priority: int | None

    def told_priority(self) -> int | None:
        """The priority, of the types that have one. Raises Rejected when it is missing."""
        if self.type not in WITH_PRIORITY:
            return None
        if self.priority is None:
            raise Rejected(f"{self.type} records need a `priority`.")
        return self.priority

    def is_met_by(self, record: Record) -> bool:
        """Whether a record with the wanted answer is right otherwise too."""
        return record.ttl == self.ttl and self.has_priority_of(record)

    def has_priority_of(self, record: Record) -> bool:
        """Whether the priority is the same, of the types that have one."""
        return self.type not in WITH_PRIORITY or record.priority == self.priority


class Change(NamedTuple, Generic[R]):
    """A record that stays under its id and gets another answer."""

    record: R
    answer: str


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """What leads from the records there are to those wanted."""

    keep: tuple[R, ...]
    change: tuple[Change[R], ...]
    add: tuple[str, ...]
    remove: tuple[R, ...]


def plan(there: Sequence[R], type: str, values: Sequence[str], is_right: Callable[[R], bool]) -> Plan[R]:
    """The fewest steps: records with a wanted answer stay, or are corrected where they are not right otherwise;
    others are rewritten before any is added.
    """
    keep: list[R] = []
    change: list[Change[R]] = []
    spare: list[R] = []
    wanted = {same(type, value): value for value in values}
    for record in there:
        value = wanted.pop(same(type, record.answer), None)
        if value is None:
            spare.append(record)
        elif is_right(record):
            keep.append(record)
        else:
            change.append(Change(record, value))
    missing = list(wanted.values())
    change += [Change(record, value) for record, value in zip(spare, missing, strict=False)]
    reused = min(len(spare), len(missing))
    return Plan(tuple(keep), tuple(change), tuple(missing[reused:]), tuple(spare[reused:]))
