"""Turns that all processes share, counted in PostgreSQL: implements `execution.ports.Rates`.

One statement for all who ask at the same moment. Measured against the alternatives in decision 0007.
"""

from collections.abc import Sequence

from db.coalescing import Coalescer
from db.database import Pool, answering
from domain.rates import NotYet, Turn

_TAKE = "SELECT * FROM gate_take_turns($1, $2, $3, $4, $5)"


class PostgresRates:
    """Raises DependencyDown when PostgreSQL does not answer: nothing would be admitted then either."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turns = Coalescer(self._take)

    async def take(self, turn: Turn) -> list[NotYet]:
        """See `ports.Rates`."""
        async with answering():
            return await self._turns.ask(turn)

    async def _take(self, turns: Sequence[Turn]) -> list[list[NotYet]]:
        asked = [(number, turn.tenant, *each) for number, turn in enumerate(turns) for each in turn.rates]
        found = await self._pool.fetch(
            _TAKE,
            [number for number, _, _, _ in asked],
            [tenant for _, tenant, _, _ in asked],
            [name for _, _, name, _ in asked],
            [rate.every for _, _, _, rate in asked],
            [rate.ahead for _, _, _, rate in asked],
        )
        answers: list[list[NotYet]] = [[] for _ in turns]
        for row in found:
            answers[row["ord"]].append(NotYet(row["name"], row["free_at"]))
        return answers
