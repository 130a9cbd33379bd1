"""A1: 10,000 questions with another tenant's ids and cursors, each beside the same with ids that never were."""

import random
from pathlib import Path

from tests.flows.test_tenants import furnished
from tests.flows.test_tenants_property import KINDS, OPERATIONS, Case, holds
from tests.soak.telling import Tally
from tests.support.gateways import running_gateway

_A_ROUND = 400


async def run(database: str, folder: Path, rounds: int, tally: Tally) -> None:
    """With 25 rounds, the figure of the promise."""
    chance, different = random.Random(1), 0  # noqa: S311 - which questions, not which secrets
    async with running_gateway(database, folder) as gateway:
        theirs = await furnished(gateway)
        for _ in range(rounds * _A_ROUND):
            kind = chance.choice([None, *KINDS])
            operation, parts = chance.choice(OPERATIONS), chance.getrandbits(16)
            case = Case(operation, kind, chance.random() < 0.5, parts, by_socket=chance.random() < 0.2)
            try:
                await holds(gateway, theirs, case)
            except AssertionError:
                different += 1
                tally.tell("A1", f"foreign is told from missing: {case}", is_kept=False)
    cases = rounds * _A_ROUND
    tally.tell("A1", f"{cases} questions, {different} told foreign from missing", is_kept=different == 0)
