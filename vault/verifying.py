"""Checking an exported history, or a receipt, with nothing at hand but the file.

An export is JSON lines, each with its `kind`: first the `key`, then each `record` in order and behind the records that
it covers their `seal`; `anchor`s, which are seals that the exporting machine kept outside its database; last the `end`,
signed, so that a file that was cut short shows.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from domain.json import JsonObject
from domain.seals import NOTHING_BEFORE, Seal, encoded, leaf, root_of, seal_from
from vault.signing import PublicKey, public_key

_END = b"mandate history export 1\n"
_MOST_FINDINGS = 50
_LATE = timedelta(minutes=1)


@dataclass
class Report:
    """What checking found. Nothing in `findings` means that the file is whole; `notes` are for people to judge."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tenant: str | None = None
    records: int = 0
    seals: int = 0
    sealed_to: int = 0
    sealed_at: str | None = None
    key_id: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was tampered with, as far as the file can show."""
        return not self.findings

    def find(self, what: str) -> None:
        """One more thing that should not be."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(what)


def end_bytes(statement: JsonObject) -> bytes:
    """What is signed of an export's last line."""
    return _END + encoded(statement)


def check_export(lines: Iterable[str], key_id: str | None = None, known: Iterable[Seal] = ()) -> Report:
    """Every record under its seal, every seal signed and on top of the one before.

    `key_id` is the key that must have signed, when it is known from elsewhere; `known` are seals from elsewhere, e.g.
    of an earlier export, which this one must have too.
    """
    check = _Check(key_id)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            check.line(number, line)
    return check.report(known)


class _Check:
    """The state of reading an export from its first line to its last."""

    def __init__(self, key_id: str | None) -> None:
        self._told = Report()
        self._wanted_key = key_id
        self._key: PublicKey | None = None
        self._next = 1
        self._leaves: list[bytes] = []
        self._oldest: str | None = None
        self._seals: dict[int, bytes] = {}
        self._previous = NOTHING_BEFORE
        self._anchors: list[Seal] = []
        self._late = 0
        self._has_ended = False

    def line(self, number: int, text: str) -> None:
        """Take one line."""
        try:
            said = json.loads(text)
            kind = said.pop("kind")
        except (ValueError, AttributeError, KeyError, TypeError):
            self._told.find(f"Line {number} is not a line of an export.")
            return
        if self._has_ended:
            self._told.find(f"Line {number} stands behind the end.")
            return
        try:
            self._take(str(kind), said)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._told.find(f"Line {number} ({kind}) is not as an export writes it.")

    def report(self, known: Iterable[Seal]) -> Report:
        """What was found, once every line is taken."""
        told = self._told
        if not self._has_ended:
            told.find("The end is missing: the file was cut short.")
        for seal in (*known, *self._anchors):
            if self._seals.get(seal.number) != seal.digest():
                told.find(
                    f"Seal {seal.number}, over records {seal.first} to {seal.last}, is known from elsewhere and is not "
                    "in this history: its end was cut off, or it was replaced."
                )
        if self._leaves:
            told.notes.append(f"{len(self._leaves)} records are younger than the last seal.")
        if self._late:
            told.notes.append(
                f"{self._late} seals were made more than a minute after their records: was the gateway stopped?"
            )
        return told

    def _take(self, kind: str, said: dict[str, object]) -> None:
        if kind == "key":
            self._take_key(str(said["public"]))
        elif kind == "record":
            self._take_record(cast(JsonObject, said))
        elif kind == "seal":
            self._take_seal(_signed_seal(said))
        elif kind == "anchor":
            self._take_anchor(_signed_seal(said))
        elif kind == "end":
            self._take_end(said)
        else:
            raise ValueError(kind)

    def _take_key(self, text: str) -> None:
        if self._key is not None:
            self._told.find("There is a second key.")
            return
        self._key = public_key(text)
        self._told.key_id = self._key.id
        if self._wanted_key not in (None, self._key.id):
            self._told.find(f"The file was signed by the key {self._key.id}, not by {self._wanted_key}.")

    def _take_record(self, record: JsonObject) -> None:
        place = record["position"]
        if not isinstance(place, int):
            raise TypeError("no place")
        self._same_tenant(record["tenant"])
        if place < self._next:
            self._told.find(f"Record {place} stands in the wrong place, or twice.")
        elif place > self._next:
            self._told.find(f"{_records(self._next, place - 1)} missing.")
        if not self._leaves:
            self._oldest = str(record["at"])
        self._leaves.append(leaf(record))
        self._next = max(self._next, place + 1)
        self._told.records += 1

    def _take_seal(self, seal: Seal) -> None:
        told = self._told
        self._same_tenant(seal.tenant)
        told.seals += 1
        if not self._is_signed(seal.signed_bytes(), seal.signature) or self._key is None or seal.key_id != self._key.id:
            told.find(f"Seal {seal.number} is not signed by the key.")
        if seal.number != len(self._seals) + 1 or seal.previous != self._previous:
            told.find(f"Seal {seal.number} does not follow the one before it: seals are missing or moved.")
        if seal.first != told.sealed_to + 1:
            told.find(f"Seal {seal.number} does not begin where the one before it ends.")
        if seal.last >= self._next:
            told.find(f"{_records(self._next, seal.last)} missing.")
        if root_of(self._leaves) != seal.root:
            told.find(f"Among records {seal.first} to {seal.last} something was changed, added, removed or moved.")
        if self._oldest is not None and seal.sealed_at - datetime.fromisoformat(self._oldest) > _LATE:
            self._late += 1
        self._seals[seal.number] = self._previous = seal.digest()
        told.sealed_to, told.sealed_at = seal.last, seal.sealed_at.astimezone(UTC).isoformat(timespec="seconds")
        self._next = max(self._next, seal.last + 1)
        self._leaves, self._oldest = [], None

    def _take_anchor(self, seal: Seal) -> None:
        if self._is_signed(seal.signed_bytes(), seal.signature):
            self._anchors.append(seal)
        else:
            self._told.find("An anchor is not signed by the key.")

    def _take_end(self, said: dict[str, object]) -> None:
        signature = base64.b64decode(str(said.pop("signature")))
        self._has_ended = True
        if not self._is_signed(end_bytes(cast(JsonObject, said)), signature):
            self._told.find("The end is not signed by the key.")
        if (said["records"], said["seals"]) != (self._told.records, self._told.seals):
            self._told.find("The file does not hold as many records and seals as were exported.")
        self._same_tenant(said["tenant"])

    def _is_signed(self, message: bytes, signature: bytes) -> bool:
        return self._key is not None and self._key.has_signed(message, signature)

    def _same_tenant(self, tenant: object) -> None:
        if self._told.tenant is None:
            self._told.tenant = str(tenant)
        elif tenant != self._told.tenant:
            self._told.find("Something of another tenant stands among the records.")


def last_seal(lines: Iterable[str]) -> Seal | None:
    """The newest seal in an export, to hold a later one against."""
    newest = None
    for line in lines:
        if line.startswith('{"kind": "seal"'):
            said = json.loads(line)
            newest = _signed_seal(said)
    return newest


def _signed_seal(said: Mapping[str, object]) -> Seal:
    return seal_from(said, base64.b64decode(str(said["signature"])))


def _records(first: int, last: int) -> str:
    return f"Record {first} is" if first == last else f"Records {first} to {last} are"
