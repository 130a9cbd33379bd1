"""LISTEN and NOTIFY over a connection of its own: what the PostgreSQL bus needs from the database."""

from collections.abc import Callable

import asyncpg

from db.database import ROLE, answering


class Listener:
    """One listening connection. `heard` is called with each payload, `lost` once when the connection ends."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Begin. Raises DependencyDown when PostgreSQL does not answer."""
        async with answering():
            connection = await asyncpg.connect(
                self._url, timeout=5, server_settings={"role": ROLE, "application_name": "mandate-bus"}
            )
            self._connection = connection
            connection.add_termination_listener(lambda *_: lost())
            await connection.add_listener(channel, lambda *message: heard(str(message[3])))

    async def notify(self, channel: str, payload: str) -> None:
        """Tell everybody who listens. Raises DependencyDown."""
        async with answering():
            if self._connection is None:
                raise ConnectionError("not listening")
            await self._connection.execute("SELECT pg_notify($1, $2)", channel, payload, timeout=5)

    async def close(self) -> None:
        """End without waiting for the server."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
