"""What `mandate audit`, `mandate keys` and `mandate tenant` work with: the database and the master keys, no doors."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from db.across import Across
from db.database import Database, open_database
from db.store import Stores
from domain.errors import Misconfigured
from gateway.settings import Settings
from gateway.starting import data_dir, database_of, keyring_of
from vault.anchors import Anchors
from vault.deployment import deployment_key
from vault.master_keys import MasterKeys
from vault.signing import PURPOSE, SigningKey

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Opened once for one command."""

    database: Database
    stores: Stores
    across: Across
    keyring: MasterKeys
    home: Path

    async def signing_key(self) -> SigningKey:
        """The deployment's. Raises Misconfigured when the master key is not the one it was sealed with."""
        return SigningKey(await deployment_key(self.keyring, self.stores, PURPOSE))


@asynccontextmanager
async def maintenance(settings: Settings) -> AsyncIterator[Maintenance]:
    """The database that the settings name, or the embedded one. Raises Misconfigured, DependencyDown."""
    home = data_dir(settings)
    keyring = keyring_of(settings, home)
    if keyring is None:
        raise Misconfigured("MANDATE_MASTER_KEYS is not set, and there is no key of a development gateway here.")
    async with database_of(settings, home) as url:
        database = await open_database(url)
        try:
            stores = Stores(database, lambda *_: None)
            yield Maintenance(database, stores, Across(database.pool), keyring, home)
        finally:
            await database.close()


def anchors_of(home: Path, key: SigningKey) -> Anchors | None:
    """The seals that this machine keeps. None on a machine that keeps nothing."""
    try:
        return Anchors(home / "seals", key.public.id)
    except OSError:
        return None
