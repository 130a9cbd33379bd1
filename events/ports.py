"""What the feed needs: a bus that brings news, and somebody who reads the history.

The bus carries no data, only "this tenant's history has come to this position". So it holds no truth and no secret,
and a message that is lost, repeated or out of order costs time at most: whoever hears it reads the history itself.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from domain.history import Event

Heard = Callable[[str, int], None]
Missed = Callable[[], None]


class Bus(Protocol):
    """Brings news between processes. Neither its being down nor its being slow is an error to anybody."""

    @property
    def is_live(self) -> bool:
        """Whether news travels, as far as is known. For health reports; nothing depends on it."""
        ...

    async def start(self) -> None:
        """Begin, in the background: returns at once, whether or not the server answers."""
        ...

    async def close(self) -> None:
        """Stop. What was told and not yet sent is dropped."""
        ...

    def tell(self, tenant: str, position: int) -> None:
        """A commit moved this tenant's history. Never blocks, never raises; only the newest position is sent.

        Here it is heard at once, elsewhere when the server passes it on. To be called on the event loop.
        """
        ...

    def hear(self, heard: Heard, missed: Missed) -> None:
        """Who wants the news; to be called once, before `start`.

        `heard` is called with tenant and position. `missed` is called when news may have been lost, which is after
        every (re)connection and after a newly watched tenant is really listened to: a reason to look oneself.
        """
        ...

    def watch(self, tenant: str) -> None:
        """This process wants news of the tenant. A hint: takes effect soon, and news of others may still come."""
        ...

    def unwatch(self, tenant: str) -> None:
        """It no longer does."""
        ...


class HistoryReader(Protocol):
    """Reads committed history. Both methods raise DependencyDown when PostgreSQL does not answer."""

    async def history(self, tenant: str, after: int, most: int) -> list[Event]:
        """The tenant's events after a position, in order."""
        ...

    async def heads(self, tenants: Sequence[str]) -> dict[str, int]:
        """How far each tenant's history has come; 0 where there is none."""
        ...
