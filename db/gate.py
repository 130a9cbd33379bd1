"""The hot path: narrow functions that serve many tenants in one statement, each row carrying its tenant.

Round trips per execution: one to recognise an agent's key, one for the facts, one that commits the intent, one that
commits the result. Two of them commit. Concurrent callers share all four.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from db import rows
from db.coalescing import Coalescer
from db.database import Pool, answering
from domain.agents import KeyRecord
from domain.catalogue import Effect
from domain.errors import DependencyDown
from domain.executions import (
    LEASE_SECONDS,
    Admission,
    Again,
    Dispatch,
    Doubtful,
    Finish,
    Finished,
    Intent,
    Lapsed,
    ProbeEnd,
    Queued,
    Verdict,
)
from domain.grants import Candidate, Standing
from domain.history import Event, Occurrence
from domain.ids import new_id
from domain.sealed import Sealed, WrappedKey

_AGENT_KEYS = "SELECT * FROM gate_agent_keys($1)"
_STANDING = "SELECT * FROM gate_standing($1, $2, $3, $4, $5)"
_ADMIT = f"SELECT * FROM gate_admit({', '.join(f'${n}' for n in range(1, 31))})"
_FINISH = f"SELECT * FROM gate_finish({', '.join(f'${n}' for n in range(1, 15))})"
_CLAIM = "SELECT * FROM gate_claim($1, $2, $3, $4)"
_PUT_OFF = "SELECT gate_put_off($1, $2, $3, $4)"
_DUE_PROBES = "SELECT * FROM gate_due_probes($1, $2)"
_PROBED = f"SELECT gate_probed({', '.join(f'${n}' for n in range(1, 10))})"
_DISPATCH = f"SELECT * FROM gate_dispatch({', '.join(f'${n}' for n in range(1, 12))})"
_AGAIN = f"SELECT gate_again({', '.join(f'${n}' for n in range(1, 12))})"
_BEAT = "SELECT * FROM gate_beat($1, $2, $3, $4)"
_LAPSED_APPROVALS = "SELECT * FROM gate_lapsed_approvals($1)"
_REFUSE = f"SELECT * FROM gate_refuse({', '.join(f'${n}' for n in range(1, 14))})"
_TOUCH = "SELECT gate_touch_tokens($1)"
_CREDENTIAL = "SELECT * FROM gate_credential($1, $2)"
_HISTORY = "SELECT * FROM gate_history($1, $2, $3)"
_HEADS = "SELECT * FROM gate_heads($1)"
_SESSION = "SELECT * FROM gate_connect_session($1, $2)"
_CONNECT_TOKEN = "SELECT * FROM gate_connect_token($1, $2)"  # noqa: S105 - a statement
_LAPSED_EXECUTIONS = "SELECT * FROM gate_lapsed_executions($1)"
_LAPSED_SESSIONS = "SELECT * FROM gate_lapsed_sessions($1)"

_TOUCH_SECONDS = 60
#: How long a caller waits for a fact, the wait for its turn included: a batch ahead may be waiting for a dead server.
_PATIENCE_SECONDS = 4.5
_REMEMBERED_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """Whose standing is asked for. Without `agent` it is a person's; `connection` narrows it to one."""

    tenant: str
    agent: UUID | None
    integration: str
    connection: UUID | None


class Gate:
    """Every method raises DependencyDown when PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._keys = Coalescer(self._find_keys, lanes=2)
        self._questions = Coalescer(self._ask_standing, lanes=2)
        self._intents = Coalescer(self._admit)
        self._dispatches = Coalescer(self._dispatch)
        self._finishes = Coalescer(self._finish)
        self._refusals = Coalescer(self._refuse)
        self._touched: dict[UUID, float] = {}
        self._background: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------- the execution path

    async def agent_key(self, id: UUID) -> KeyRecord | None:
        """What is kept of an agent's key."""
        async with answering(), asyncio.timeout(_PATIENCE_SECONDS):
            return await self._keys.ask(id)

    def note_token_use(self, token_id: UUID) -> None:
        """Have the key's last use written, at most once a minute, in the background: nobody waits for it."""
        now = time.monotonic()
        if self._touched.get(token_id, 0) > now - _TOUCH_SECONDS:
            return
        if len(self._touched) > _REMEMBERED_TOKENS:
            self._touched.clear()
        self._touched[token_id] = now
        task = asyncio.ensure_future(self._touch(token_id))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def standing(self, question: Question) -> Standing:
        """The facts a decision about one integration needs."""
        async with answering(), asyncio.timeout(_PATIENCE_SECONDS):
            return await self._questions.ask(question)

    async def admit(self, intent: Intent) -> Admission:
        """Commit the intent, if what it rests on still stands and its key is new."""
        async with answering():
            return await self._intents.ask(intent)

    async def finish(self, finish: Finish) -> Finished:
        """Commit the result, if this attempt is still the execution's. Raises ValueError when it is not JSON."""
        result = rows.json_text(finish.outcome.result)  # written here, so that a bad one costs no neighbour anything
        async with answering():
            return await self._finishes.ask((finish, result))

    async def claim(self, most: int, resting: Sequence[str] = ()) -> list[Queued]:
        """The next executions whose turn it is, taken for a while: a few of every tenant but those that rest."""
        async with answering():
            found = await self._pool.fetch(_CLAIM, most, max(most // 4, 1), LEASE_SECONDS, list(resting))
        return [rows.queued(row["e"], row["plan_hash"]) for row in found]

    async def put_off(self, queued: Queued, until: datetime) -> None:
        """Give a claimed execution back until then."""
        run = queued.execution
        async with answering():
            await self._pool.execute(_PUT_OFF, queued.tenant, run.id, run.attempt, until)

    async def dispatch(self, dispatch: Dispatch) -> Admission:
        """Commit that a queued execution goes out, if it is still queued and what it rests on still stands."""
        async with answering():
            return await self._dispatches.ask(dispatch)

    async def again(self, again: Again) -> int | None:
        """Commit that there will be another attempt; None when the execution is not this attempt's any more."""
        async with answering():
            place: int | None = await self._pool.fetchval(
                _AGAIN,
                again.tenant,
                again.id,
                new_id(),
                again.attempt,
                again.status,
                again.outcome,
                again.provider_status,
                again.retry_at,
                again.may_have_happened,
                again.is_recovery,
                LEASE_SECONDS,
            )
        return place

    async def due_probes(self, most: int = 20) -> list[Doubtful]:
        """Executions to look for at their services now, each handed to one asker for a while."""
        async with answering():
            found = await self._pool.fetch(_DUE_PROBES, most, LEASE_SECONDS)
        return [rows.doubtful(row["e"], row["times"]) for row in found]

    async def probed(self, probed: ProbeEnd) -> int | None:
        """Commit what a look found out; None when it settled nothing. Raises ValueError when the result is not JSON."""
        result = rows.json_text(probed.result)
        error = probed.error
        async with answering():
            place: int | None = await self._pool.fetchval(
                _PROBED,
                probed.tenant,
                probed.id,
                new_id(),
                probed.attempt,
                probed.status,
                result,
                rows.error_text(error),
                error.code if error else None,
                probed.again_at,
            )
        return place

    async def beat(self, held: Sequence[tuple[str, UUID, int]]) -> dict[UUID, bool]:
        """Keep the leases of these attempts. By id of those that are still ours: whether somebody asked to cancel."""
        tenants, ids, attempts = map(list, zip(*held, strict=True))
        async with answering():
            found = await self._pool.fetch(_BEAT, tenants, ids, attempts, LEASE_SECONDS)
        return {row["id"]: row["is_cancelled"] for row in found}

    async def lapsed_approvals(self, most: int = 100) -> list[tuple[str, UUID]]:
        """Approvals that nobody decided in time."""
        async with answering():
            return [(row["tenant"], row["id"]) for row in await self._pool.fetch(_LAPSED_APPROVALS, most)]

    async def refuse(self, tenant: str, occurrence: Occurrence) -> int:
        """Append the record of a refused attempt; the position it got."""
        async with answering():
            return await self._refusals.ask((tenant, occurrence))

    async def credential(self, tenant: str, connection_id: UUID) -> Sealed | None:
        """The connection's sealed credential, None when there is none; one round trip."""
        async with answering():
            row = await self._pool.fetchrow(_CREDENTIAL, tenant, connection_id)
        return _sealed(row) if row else None

    # ----------------------------------------------------------------------------------------- history

    async def history(self, tenant: str, after: int, most: int) -> list[Event]:
        """The tenant's events after a position, in order."""
        async with answering():
            return [rows.event(row) for row in await self._pool.fetch(_HISTORY, tenant, after, most)]

    async def heads(self, tenants: Sequence[str]) -> dict[str, int]:
        """How far each tenant's history has come; 0 where there is none."""
        async with answering():
            found = await self._pool.fetch(_HEADS, list(tenants))
        return dict.fromkeys(tenants, 0) | {row["tenant"]: row["at_position"] for row in found}

    # -------------------------------------------------------------------------------- sessions and lapses

    async def connect_session(self, link: bytes | None = None, state: bytes | None = None) -> tuple[str, UUID] | None:
        """Tenant and id of the session that this link or state belongs to."""
        async with answering():
            row = await self._pool.fetchrow(_SESSION, link, state)
        return (row["tenant"], row["id"]) if row else None

    async def connect_token(self, digest: bytes | None = None, id: UUID | None = None) -> tuple[str, UUID] | None:
        """Tenant and id of the connect token with this digest or id."""
        async with answering():
            row = await self._pool.fetchrow(_CONNECT_TOKEN, digest, id)
        return (row["tenant"], row["id"]) if row else None

    async def lapsed_executions(self, most: int = 100) -> list[Lapsed]:
        """Executions whose process went away."""
        async with answering():
            found = await self._pool.fetch(_LAPSED_EXECUTIONS, most)
        return [
            Lapsed(
                row["id"],
                row["tenant"],
                row["attempt"],
                row["action"],
                Effect(row["effect"]),
                row["recoveries"],
                row["deadline_at"],
            )
            for row in found
        ]

    async def lapsed_sessions(self, most: int = 100) -> list[tuple[str, UUID]]:
        """Connect sessions that nobody finished in time."""
        async with answering():
            return [(row["tenant"], row["id"]) for row in await self._pool.fetch(_LAPSED_SESSIONS, most)]

    # ------------------------------------------------------------------------------------- the statements

    async def _fetch(self, query: str, *columns: object) -> Sequence[rows.Row]:
        """The wait for a connection included. What was sent may have been committed all the same: the lease decides."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._pool.fetch(query, *columns)

    async def _find_keys(self, ids: Sequence[UUID]) -> list[KeyRecord | None]:
        found = {
            row["id"]: KeyRecord(
                row["id"], row["tenant"], row["agent_id"], row["digest"], row["expires_at"], row["revoked_at"]
            )
            for row in await self._pool.fetch(_AGENT_KEYS, list(set(ids)))
        }
        return [found.get(id) for id in ids]

    async def _touch(self, token_id: UUID) -> None:
        with suppress(DependencyDown):
            async with answering():
                await self._pool.execute(_TOUCH, token_id)

    async def _ask_standing(self, asked: Sequence[Question]) -> list[Standing]:
        columns = _columns(asked, "tenant", "agent", "integration", "connection")
        grouped: list[list[rows.Row]] = [[] for _ in asked]
        for row in await self._pool.fetch(_STANDING, list(range(len(asked))), *columns):
            grouped[row["ord"]].append(row)
        return [_standing(question, found) for question, found in zip(asked, grouped, strict=True)]

    async def _admit(self, intents: Sequence[Intent]) -> list[Admission]:
        columns = _columns(
            intents,
            "action",
            "integration",
            "effect",
            "connection_id",
            "connection_version",
            "agent_id",
            "agent_version",
            "grant_id",
            "grant_version",
            "actor",
            "mode",
            "origin",
            "parameters",
            "parameters_hash",
            "idempotency_key",
            "fingerprint",
            "patience_seconds",
            "deadline_at",
            "status",
            "has_budget",
            "lease_seconds",
            "action_digest",
        )
        tenants, ids = _columns(intents, "tenant", "id")
        numbers = list(range(len(intents)))
        events = [new_id() for _ in intents]
        asked = [each.approval for each in intents]
        approvals = [
            [getattr(each, name) if each else None for each in asked]
            for name in ("id", "summary", "plan_hash", "expires_at")
        ]
        found = await self._fetch(_ADMIT, numbers, tenants, ids, events, *columns, *approvals)
        answers = {row["ord"]: _admission(row) for row in found}
        return [answers[number] for number in numbers]

    async def _dispatch(self, asked: Sequence[Dispatch]) -> list[Admission]:
        columns = _columns(
            asked, "attempt", "connection_version", "agent_version", "grant_id", "grant_version", "action_digest"
        )
        tenants, ids = _columns(asked, "tenant", "id")
        numbers = list(range(len(asked)))
        events = [new_id() for _ in asked]
        found = await self._fetch(_DISPATCH, numbers, tenants, ids, events, *columns, LEASE_SECONDS)
        answers = {row["ord"]: _admission(row) for row in found}
        return [answers[number] for number in numbers]

    async def _finish(self, asked: Sequence[tuple[Finish, str | None]]) -> list[Finished]:
        finishes = [finish for finish, _ in asked]
        tenants, ids, attempts, durations, hashes = _columns(
            finishes, "tenant", "id", "attempt", "duration_ms", "parameters_hash"
        )
        outcomes = [each.outcome for each in finishes]
        found = await self._fetch(
            _FINISH,
            list(range(len(finishes))),
            tenants,
            ids,
            [new_id() for _ in finishes],
            attempts,
            [each.status for each in outcomes],
            [result for _, result in asked],
            [rows.error_text(each.error) for each in outcomes],
            [each.error.code if each.error else None for each in outcomes],
            [each.what_to_check for each in outcomes],
            durations,
            hashes,
            [each.gives_back for each in finishes],
            [each.probe_after for each in finishes],
        )
        answers = {row["ord"]: Finished(row["at_position"], row["finished_at"]) for row in found}
        return [answers[number] for number in range(len(finishes))]

    async def _refuse(self, records: Sequence[tuple[str, Occurrence]]) -> list[int]:
        columns = _columns(
            [occurrence for _, occurrence in records],
            "type",
            "actor",
            "agent_id",
            "integration",
            "action",
            "connection_id",
            "grant_id",
            "reason",
            "status",
            "error",
        )
        found = await self._fetch(
            _REFUSE,
            list(range(len(records))),
            [tenant for tenant, _ in records],
            [new_id() for _ in records],
            *columns,
        )
        answers = {row["ord"]: row["at_position"] for row in found}
        return [answers[number] for number in range(len(records))]


def _columns(items: Sequence[object], *names: str) -> list[list[object]]:
    """One list per field: how PostgreSQL's unnest takes a batch."""
    return [list(map(attrgetter(name), items)) for name in names]


def _standing(question: Question, found: Sequence[rows.Row]) -> Standing:
    first = found[0]
    return Standing(
        is_agent=question.agent is not None,
        agent_version=first["agent_version"],
        # An agent that is gone acts no more than a frozen one.
        is_agent_frozen=question.agent is not None and first["is_frozen"] is not False,
        is_integration_enabled=first["is_enabled"],
        is_tenant_frozen=first["is_tenant_frozen"],
        candidates=tuple(
            Candidate(rows.connection(row["c"]), rows.grant(row["g"]) if row["g"] is not None else None)
            for row in found
            if row["c"] is not None
        ),
    )


def _admission(row: rows.Row) -> Admission:
    verdict = Verdict(row["verdict"])
    if verdict is not Verdict.ADMITTED:
        return Admission(verdict)
    return Admission(verdict, row["at_position"], row["started_at"], _sealed(row))


def _sealed(row: rows.Row) -> Sealed:
    key = WrappedKey(row["key_id"], row["master_key"], row["wrapped"])
    return Sealed(key, row["credential_version"], row["sealed"])
