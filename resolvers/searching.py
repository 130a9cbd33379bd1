"""Finding actions by what they are good for, in business language: what the caller may do first.

Ranking is a matter of memory (see `resolvers.ranking`); whether the caller may execute what was found is decided as
`execute` decides, for the services that were found and no others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from domain.callers import Caller
from domain.catalogue import Action, Catalogue
from domain.errors import InvalidInput
from domain.grants import Standing
from resolvers.catalogue import why_not
from resolvers.ranking import Index, Match
from resolvers.services import Services

#: How well an action that can be executed must fit, beside the best, to go before what cannot.
_NEAR = 0.6
#: What fits less than this share of the best is not what was meant.
_TOO_FAR = 0.25
_MOST, _LONGEST = 50, 400
#: Beyond these many that fit, whether they can be executed is not asked any more.
_LOOKED_AT = 40

#: Gives the facts by which the caller's executions of these integrations would be decided.
Standings = Callable[[Sequence[str]], Awaitable[Sequence[Standing]]]


@dataclass(frozen=True, slots=True)
class Found:
    """An action that fits, how well from 0 to 1, and whether the caller could execute it now."""

    action: Action
    score: float
    is_executable: bool


async def search_actions(
    services: Services, caller: Caller, query: str, first: int, standings: Standings
) -> list[Found]:
    """The best first; of those that fit about as well, what the caller could execute goes before what it could not.

    What could be granted or connected is found too, so that an agent can ask for it. Nothing for a query without a
    word. Raises InvalidInput.
    """
    caller.require("searchActions")
    if not 1 <= first <= _MOST:
        raise InvalidInput(f"`first` is from 1 to {_MOST}.", ("first",))
    if len(query) > _LONGEST:
        raise InvalidInput(f"At most {_LONGEST} characters.", ("query",))
    matches = (await _index(services.catalogue)).rank(query)
    fitting = [match for match in matches if match.score >= _TOO_FAR * matches[0].score][: max(first, _LOOKED_AT)]
    found = await _judged(services, caller, fitting, standings)
    near = _NEAR * matches[0].score if matches else 0.0
    return sorted(found, key=lambda each: not (each.is_executable and each.score >= near))[:first]


async def _judged(services: Services, caller: Caller, matches: Sequence[Match], standings: Standings) -> list[Found]:
    slugs = list(dict.fromkeys(match.action.integration for match in matches))
    standing_of = dict(zip(slugs, await standings(slugs), strict=True))
    return [
        Found(
            match.action,
            match.score,
            why_not(services, caller, standing_of[match.action.integration], match.action) is None,
        )
        for match in matches
    ]


_indexes: "WeakKeyDictionary[Catalogue, Index]" = WeakKeyDictionary()


async def _index(catalogue: Catalogue) -> Index:
    """Built when somebody first searches this catalogue, which never changes; nobody else waits for it."""
    index = _indexes.get(catalogue)
    if index is None:
        index = _indexes[catalogue] = await asyncio.to_thread(Index, catalogue)
    return index
