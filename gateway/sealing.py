"""Sealing history, off the hot path: at most a second after a record was committed it is under a seal.

Every process does it, and one at a time for each tenant: PostgreSQL's lock decides, and the numbers of seals would
refuse a second one. What a process leaves unsealed when it dies, another one seals.
"""

import asyncio
import random
from datetime import UTC, datetime

import structlog

from db.across import Across
from db.store import Store, Stores
from domain.errors import DependencyDown
from domain.seals import NOTHING_BEFORE, Seal, leaf, record_of, root_of
from vault.anchors import Anchors
from vault.signing import SigningKey

log = structlog.get_logger("gateway")

ROUND_SECONDS = 0.5
_TENANTS = 10_000
_AT_ONCE = 4
#: Records read and hashed in one go, some two milliseconds of work; and under one seal.
_PAGE = 200
_LARGEST = 10_000


class Sealer:
    """Runs until cancelled."""

    def __init__(self, across: Across, stores: Stores, key: SigningKey, anchors: Anchors | None) -> None:
        self._across = across
        self._stores = stores
        self._key = key
        self._anchors = anchors
        self._hands = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Round after round. A database that is away is waited for."""
        while True:
            await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy
            try:
                await self.round()
            except DependencyDown:
                continue
            except Exception as error:  # one bad round must not be the last one
                log.error("sealing_failed", exc_info=error)

    async def round(self) -> int:
        """Seal whatever can be sealed; how many seals were made. Raises DependencyDown."""
        tenants = await self._across.unsealed(_TENANTS)
        return sum(await asyncio.gather(*(self._all_of(tenant) for tenant in tenants)))

    async def close(self) -> None:
        """The last records of a process that ends in order are not left to another one."""
        try:
            await self.round()
        except Exception as error:  # noqa: BLE001 - ending goes on
            log.warning("not_sealed_at_the_end", kind=type(error).__name__)

    async def _all_of(self, tenant: str) -> int:
        async with self._hands:
            made = 0
            while (seal := await self._one(tenant)) is not None:
                made += 1
                self._keep(seal)
                if seal.last - seal.first + 1 < _LARGEST:
                    break
            return made

    async def _one(self, tenant: str) -> Seal | None:
        """The next seal, committed; None when there is nothing to seal, or somebody else is at it."""
        async with self._stores.of(tenant) as store:
            if not await store.seals.lock():
                return None
            newest = await store.seals.newest()
            await self._compare(store, newest)
            after = newest.last if newest else 0
            leaves, last = await _leaves(store, after)
            if not leaves:
                head = await store.seals.head()
                if head < after:
                    log.error("history_is_shorter_than_its_seals", tenant=tenant, sealed=after, head=head)
                await store.seals.mark(head)
                return None
            if last - after != len(leaves):
                log.error("history_has_a_gap", tenant=tenant, after=after)
            seal = self._signed(tenant, newest, after + 1, last, leaves)
            await store.seals.add(seal)
            await store.seals.mark(last)
        return seal

    def _signed(self, tenant: str, newest: Seal | None, first: int, last: int, leaves: list[bytes]) -> Seal:
        plain = Seal(
            tenant=tenant,
            number=newest.number + 1 if newest else 1,
            first=first,
            last=last,
            root=root_of(leaves),
            previous=newest.digest() if newest else NOTHING_BEFORE,
            sealed_at=datetime.now(UTC),
            key_id=self._key.public.id,
        )
        return signed(plain, self._key)

    async def _compare(self, store: Store, newest: Seal | None) -> None:
        """Whether the history still has the seal that this machine knows. If not, somebody has cut or replaced it."""
        held = self._anchors.newest(store.tenant) if self._anchors else None
        if held is None or self._anchors is None or (newest is not None and newest.digest() == held.digest()):
            return
        found = await store.seals.numbered(held.number)
        if found is None or found.digest() != held.digest():
            log.error("history_lost_a_seal", tenant=store.tenant, number=held.number, last=held.last)
            self._anchors.set_aside(held)

    def _keep(self, seal: Seal) -> None:
        if self._anchors is None:
            return
        try:
            self._anchors.keep(seal)
        except OSError as error:
            log.warning("seal_not_kept_outside", kind=type(error).__name__)


def signed(seal: Seal, key: SigningKey) -> Seal:
    """The same seal with its signature."""
    return Seal(
        seal.tenant,
        seal.number,
        seal.first,
        seal.last,
        seal.root,
        seal.previous,
        seal.sealed_at,
        seal.key_id,
        key.sign(seal.signed_bytes()),
    )


async def _leaves(store: Store, after: int) -> tuple[list[bytes], int]:
    """The hashes of the records after a place, and the last one's place."""
    found: list[bytes] = []
    while len(found) < _LARGEST:
        records = await store.seals.records(after, _PAGE, is_settled=True)
        found += [leaf(record_of(store.tenant, record)) for record in records]
        if records:
            after = records[-1].position
        if len(records) < _PAGE:
            break
    return found, after
