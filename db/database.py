"""PostgreSQL, opened as a role that owns nothing.

The gateway's connections begin as `mandate_app`, so row-level security holds for every statement, and each
transaction says whose rows it wants. Opening refuses a role that could read past row-level security.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from db.drafts import check_draft
from domain.errors import DependencyDown, InvalidInput, Misconfigured

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_Found = TypeVar("_Found")

ROLE = "mandate_app"
_OLDEST_VERSION = 150_000
_CONNECT_SECONDS = 5
#: A statement that takes longer than this has no database to answer it: ours take milliseconds.
_COMMAND_SECONDS = 4

_SET_TENANT = text("SELECT set_config('mandate.tenant', :tenant, true)")

_SELF_CHECK = """
SELECT current_setting('server_version_num')::int AS version, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_tables t WHERE t.tableowner = current_user AND t.schemaname = current_schema()) AS owns,
       to_regclass('mandate_revision') IS NOT NULL AS is_migrated,
       obj_description(to_regclass('mandate_revision'), 'pg_class') AS draft
FROM pg_roles r WHERE r.rolname = current_user
"""

_SILENT = "The database does not answer. Try again shortly; an idempotency key makes that safe."
_BUSY = "The database is too busy. Try again shortly; an idempotency key makes that safe."
_NOT_MIGRATED = "The database is not migrated: run `mandate migrate` first."
_UNFIT_TEXT = "A text holds the character NUL, which cannot be stored or searched for."

#: What asyncpg and SQLAlchemy raise when the server is not there, or is there and cannot.
CONNECTION_FAILURES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, or told to stop this statement
    asyncpg.InsufficientResourcesError,  # too many connections, no disk, no memory
    asyncpg.TransactionRollbackError,  # it chose us to give way
    asyncpg.ReadOnlySQLTransactionError,  # it is a standby now
)


class _Connection(asyncpg.Connection):
    """Given up when it does not answer: the driver's polite way to cancel would wait for the same silent server."""

    # The driver's own signatures are overloads that only repeat what passes through here.
    async def fetch(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see above
        """See asyncpg; likewise the others."""
        return await self._or_given_up(super().fetch(*args, **kwargs))

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see above
        return await self._or_given_up(super().fetchrow(*args, **kwargs))

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see above
        return await self._or_given_up(super().fetchval(*args, **kwargs))

    async def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see above
        return await self._or_given_up(super().execute(*args, **kwargs))

    async def _or_given_up(self, asked: Awaitable[_Found]) -> _Found:
        try:
            return await asked
        except (TimeoutError, asyncio.CancelledError):
            self.terminate()
            raise


class Database:
    """Connections to one PostgreSQL database. Make it with `open_database`."""

    def __init__(self, engine: AsyncEngine, pool: Pool) -> None:
        self._engine = engine
        self.pool = pool

    @asynccontextmanager
    async def tenant(self, tenant: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees this tenant's rows only; commits at the end, rolls back on an error.

        Raises DependencyDown when PostgreSQL does not answer.
        """
        if not tenant:
            raise ValueError("no tenant")
        async with answering(), self._engine.begin() as connection:
            await connection.execute(_SET_TENANT, {"tenant": tenant})
            yield connection

    @asynccontextmanager
    async def deployment(self) -> AsyncIterator[AsyncConnection]:
        """A transaction without a tenant: it sees no tenant's rows, only what belongs to the deployment."""
        async with answering(), self._engine.begin() as connection:
            yield connection

    async def revision(self) -> str | None:
        """How far the database is migrated; one round trip. Raises DependencyDown."""
        async with answering(), asyncio.timeout(_COMMAND_SECONDS):
            found = await self.pool.fetchval("SELECT version_num FROM mandate_revision")
        return str(found) if found is not None else None

    async def close(self) -> None:
        """Let go of every connection."""
        await self._engine.dispose()
        self.pool.terminate()


async def open_database(url: str, pool_size: int = 10) -> Database:
    """Connect and make sure the role is safe. Raises DependencyDown, or Misconfigured with what to do."""
    settings = {"role": ROLE, "application_name": "mandate", "idle_in_transaction_session_timeout": "30000"}
    engine = create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=_CONNECT_SECONDS,
        pool_pre_ping=True,  # else each connection that died while the server was away fails one request more
        connect_args={
            "server_settings": settings,
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _COMMAND_SECONDS,
        },
    )
    async with explaining(), answering():
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=6,
            server_settings=settings,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            reset=_no_reset,
            connection_class=_Connection,
        )
        try:
            await _refuse_unsafe(pool)
        except BaseException:
            pool.terminate()
            raise
    return Database(engine, pool)


def driver_url(url: str) -> str:
    """The same address in SQLAlchemy's spelling."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres") or not rest or not _has_port(url):
        raise Misconfigured("DATABASE_URL is not an address. It looks like postgresql://user:password@host/database.")
    return f"postgresql+asyncpg://{rest}"


def _has_port(url: str) -> bool:
    """Whether what stands where a port belongs is one, or nothing."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


async def _no_reset(connection: object) -> None:
    """The pool's statements set nothing, so there is nothing to reset and one round trip is saved."""


async def _refuse_unsafe(pool: Pool) -> None:
    row = cast(asyncpg.Record, await pool.fetchrow(_SELF_CHECK))
    if row["version"] < _OLDEST_VERSION:
        raise Misconfigured("Mandate needs PostgreSQL 15 or newer.")
    if row["rolsuper"] or row["rolbypassrls"] or row["owns"]:
        raise Misconfigured(
            f"The role {ROLE} must not be a superuser, bypass row-level security or own tables. "
            f"Put it right with: ALTER ROLE {ROLE} NOSUPERUSER NOBYPASSRLS."
        )
    if not row["is_migrated"]:
        raise Misconfigured(_NOT_MIGRATED)
    check_draft(row["draft"])


@asynccontextmanager
async def explaining() -> AsyncIterator[None]:
    """What PostgreSQL objects to when it is first spoken to, as what the operator should do about it."""
    try:
        async with unwrapped():
            yield
    except (asyncpg.InvalidParameterValueError, asyncpg.UndefinedObjectError):
        raise Misconfigured(_NOT_MIGRATED) from None
    except asyncpg.InsufficientPrivilegeError:
        message = f"DATABASE_URL's user may not act as {ROLE}. Put it right with: GRANT {ROLE} TO that user."
        raise Misconfigured(message) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise Misconfigured(f"DATABASE_URL's user is not accepted by PostgreSQL: {type(error).__name__}.") from None
    except asyncpg.InvalidCatalogNameError:
        raise Misconfigured("The database named in DATABASE_URL does not exist. Create it first.") from None


@asynccontextmanager
async def unwrapped() -> AsyncIterator[None]:
    """PostgreSQL's own word for what went wrong, where SQLAlchemy has wrapped it twice."""
    try:
        yield
    except DBAPIError as error:
        said = error.orig.__cause__ if error.orig else None
        raise said if isinstance(said, asyncpg.PostgresError) else error from None


class answering:  # noqa: N801  # read as a verb: `async with answering():`
    """Whatever way the driver says that the server is gone, callers hear one word for it.

    A class and not a generator: every statement of the hot path passes here, and this costs it a third of the time.
    """

    async def __aenter__(self) -> None:
        """Nothing to prepare."""

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raises InvalidInput or DependencyDown in place of the driver's word for it."""
        if isinstance(error, asyncpg.CharacterNotInRepertoireError):
            raise InvalidInput(_UNFIT_TEXT) from None
        if isinstance(error, CONNECTION_FAILURES):
            raise DependencyDown(_SILENT) from error
        if isinstance(error, PoolExhausted):
            raise DependencyDown(_BUSY) from error
        if isinstance(error, (DBAPIError, InterfaceError)):
            said = error.orig.__cause__ if error.orig else None  # SQLAlchemy wraps the driver's word for it twice
            if isinstance(said, asyncpg.CharacterNotInRepertoireError):
                raise InvalidInput(_UNFIT_TEXT) from None
            if error.connection_invalidated or isinstance(said, CONNECTION_FAILURES):
                raise DependencyDown(_SILENT) from error
