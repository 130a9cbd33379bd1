"""Secrets that are watched: every one by name, and every place that is looked through for them.

A secret counts as found in any of the spellings in which it could get about: as it is, percent-encoded, in base64 of
either kind, in hexadecimal (as PostgreSQL writes bytes), and backwards.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import asyncpg

#: Shorter pieces of text are found everywhere.
SHORTEST = 8


@dataclass
class Canaries:
    """`secrets` by name; `places` by name: what was written, sent or answered there."""

    secrets: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[bytes]] = field(default_factory=dict)

    def plant(self, name: str, secret: str) -> None:
        """Watch for it."""
        assert len(secret) >= SHORTEST, f"{name} is too short to be told from anything else"
        self.secrets[name] = secret

    def see(self, place: str, content: bytes | str) -> None:
        """Something was seen there."""
        self.places.setdefault(place, []).append(content.encode() if isinstance(content, str) else content)

    def found(self) -> list[str]:
        """Which secret was seen where."""
        return sorted(
            {
                f"{name} in {place}"
                for name, secret in self.secrets.items()
                for place, seen in self.places.items()
                if any(spelling in content for spelling in _spellings(secret) for content in seen)
            }
        )


def _spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield raw[::-1]
    yield quote(secret, safe="").encode()
    yield raw.hex().encode()
    # Without what depends on where in the text it stands.
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        for skip in range(3):
            whole = alphabet(b"\0" * skip + raw).rstrip(b"=")
            yield whole[4 if skip else 0 : -1]


async def dumped(database_url: str) -> dict[str, bytes]:
    """Every table as COPY writes it, by name: what a backup holds."""
    connection = await asyncpg.connect(database_url)
    try:
        names = [
            row["tablename"]
            for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        ]
        found: dict[str, bytes] = {}
        for name in names:
            parts: list[bytes] = []

            async def take(part: bytes, into: list[bytes] = parts) -> None:
                into.append(part)

            await connection.copy_from_query(f'SELECT * FROM "{name}"', output=take)  # noqa: S608 - our own tables
            found[name] = b"".join(parts)
        return found
    finally:
        await connection.close()
