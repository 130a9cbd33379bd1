"""Who is calling: the one function every door asks, be it HTTP, socket, stream of events or MCP.

A caller is an agent with a key of ours, or a person, application or agent with a JWT of a trusted issuer. Agents'
keys are looked up each time, so a revoked key stops at once. A JWT that was checked is taken as checked for up to a
minute and never beyond its end: a signature costs more to verify than everything else here.

No message, log or chain of exceptions made here holds any part of a token.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.agents import KeyRecord
from domain.callers import Caller, Role
from domain.errors import Unauthenticated
from domain.ids import Kind, public_id
from vault.agent_keys import MARK, AgentKeys, Presented
from vault.tokens import MALFORMED, AccessTokens

LONGEST_TOKEN: Final = 8192

NOTHING_SENT: Final = "A token is needed: send `Authorization: Bearer <token>`."
OTHER_SCHEME: Final = "Only `Authorization: Bearer <token>` is accepted here."
TWO_TOKENS: Final = "Send exactly one token: `Authorization: Bearer <token>`."
TOO_LONG: Final = "The token is longer than 8 KiB."
MISTYPED_KEY: Final = "This looks like an agent's key but is incomplete or mistyped."
UNKNOWN_KEY: Final = "This agent's key is not known here."
REVOKED_KEY: Final = "This agent's key was revoked."
EXPIRED_KEY: Final = "This agent's key has expired."

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token of RFC 6750, section 2.1
_NO_DIGEST: Final = bytes(32)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Authenticator:
    """Turns what stands in `Authorization` into a caller, or refuses."""

    def __init__(
        self,
        agent_keys: AgentKeys,
        find_key: Callable[[UUID], Awaitable[KeyRecord | None]],
        tokens: AccessTokens,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._agent_keys = agent_keys
        self._find_key = find_key
        self._tokens = tokens
        self._now = now
        self._checked = CheckedTokens()

    async def authenticate(self, authorization: str | None, *, is_local: bool) -> Caller:
        """The caller. `is_local`: the other end of the connection is this machine, so development tokens count.

        Raises Unauthenticated with one fixed sentence; DependencyDown when the database or the issuer's keys are
        needed and out of reach; Misconfigured when the issuer is not what the operator said.
        """
        token = bearer_token(authorization)
        if token.startswith(MARK):
            return await self._agent(token)
        return await self._holder(token, is_local=is_local)

    async def _agent(self, token: str) -> Caller:
        presented = self._agent_keys.recognise(token)
        if presented is None:
            raise Unauthenticated(MISTYPED_KEY)
        record = self._proven(presented, await self._find_key(presented.id))
        if record.revoked_at is not None:
            raise Unauthenticated(REVOKED_KEY)
        if record.expires_at is not None and record.expires_at <= self._now():
            raise Unauthenticated(EXPIRED_KEY)
        return Caller(
            tenant=record.tenant,
            subject=public_id(Kind.AGENT, record.agent_id),
            roles=frozenset({Role.AGENT}),
            agent_id=record.agent_id,
            token_id=record.id,
            expires_at=record.expires_at,
        )

    @staticmethod
    def _proven(presented: Presented, record: KeyRecord | None) -> KeyRecord:
        # Compared in either case, so that an unknown id takes as long as a wrong secret.
        is_same = hmac.compare_digest(presented.digest, record.digest if record else _NO_DIGEST)
        if record is None or not is_same:
            raise Unauthenticated(UNKNOWN_KEY)
        return record

    async def _holder(self, token: str, *, is_local: bool) -> Caller:
        now = self._now()
        caller = self._checked.recall(token, now, is_local=is_local)
        if caller is None:
            caller = await self._tokens.read(token, now, is_local=is_local)
            self._checked.keep(token, caller, now, is_local=is_local)
        return caller


class CheckedTokens:
    """JWTs that were found good, by their SHA-256: the 2,000 last used, each for a minute at most.

    What is good from this machine may be refused from another, so the two are kept apart.
    """

    SIZE: Final = 2000
    LIFETIME: Final = timedelta(seconds=60)

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, bool], tuple[Caller, datetime]] = OrderedDict()

    def recall(self, token: str, now: datetime, *, is_local: bool) -> Caller | None:
        """The caller this token was read as, if that was less than a minute ago and the token has not ended."""
        name = (_digest(token), is_local)
        caller, checked_at = self._kept.get(name, (None, now))
        if caller is None:
            return None
        # A clock that was set back proves nothing either.
        is_recent = timedelta(0) <= now - checked_at < self.LIFETIME
        if not is_recent or (caller.expires_at is not None and caller.expires_at <= now):
            del self._kept[name]
            return None
        self._kept.move_to_end(name)
        return caller

    def keep(self, token: str, caller: Caller, now: datetime, *, is_local: bool) -> None:
        """Remember that this token was checked now."""
        name = (_digest(token), is_local)
        self._kept[name] = (caller, now)
        self._kept.move_to_end(name)
        if len(self._kept) > self.SIZE:
            self._kept.popitem(last=False)


def bearer_token(authorization: str | None) -> str:
    """The token in `Bearer <token>` (RFC 6750, section 2.1). Raises Unauthenticated unless there is exactly one."""
    scheme, _, rest = (authorization or "").strip(" \t").partition(" ")
    token = rest.strip(" \t")
    if scheme and scheme.lower() != "bearer":
        raise Unauthenticated(OTHER_SCHEME)
    if not token:
        raise Unauthenticated(NOTHING_SENT)
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated(TOO_LONG)
    if "," in token or " " in token or "\t" in token:
        raise Unauthenticated(TWO_TOKENS)
    if _TOKEN.fullmatch(token) is None:
        raise Unauthenticated(MALFORMED)
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
