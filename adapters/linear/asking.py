"""Asking Linear: one path for everything, with a document of GraphQL and its variables.

Ids of what is made are chosen here, from the key of the execution: Linear takes a UUID of version 4, so an answer that
was lost can be looked for afterwards.
"""

from collections.abc import Mapping
from uuid import UUID

from adapters._kit import Answer, Call
from domain.errors import AnswerGarbled
from domain.json import Json, JsonObject

_PATH = "graphql"
_LARGEST_PAGE, _MOST_PAGES = 100, 50


async def read(call: Call, document: str, **variables: Json) -> Answer:
    """A query, which changes nothing."""
    return await call.post(_PATH, json={"query": document, "variables": variables}, harmless=True)


async def write(call: Call, document: str, **variables: Json) -> Answer:
    """A mutation."""
    return await call.post(_PATH, json={"query": document, "variables": variables})


async def walk(call: Call, document: str, at: str, limit: int, variables: Mapping[str, Json]) -> list[JsonObject]:
    """The elements of a connection, page by page. The document takes `$first` and `$after`."""
    found: list[JsonObject] = []
    after: Json = None
    for _ in range(_MOST_PAGES):
        first = min(limit - len(found), _LARGEST_PAGE)
        answer = await read(call, document, **variables, first=first, after=after)
        found += answer.objects(f"data.{at}.nodes")
        after = answer.at(f"data.{at}.pageInfo.endCursor")
        if len(found) >= limit or answer.at(f"data.{at}.pageInfo.hasNextPage") is not True or not after:
            break
    return found[:limit]


def done(answer: Answer, at: str) -> Json:
    """What a mutation made. Raises AnswerGarbled when it does not say that it succeeded."""
    if answer.at(f"data.{at}.success") is not True:
        raise AnswerGarbled("Linear did not say that it was done.", status=answer.status)
    return answer.at(f"data.{at}")


def own_id(call: Call) -> str:
    """The id of what this execution makes: the same for every attempt, and a version 4 as Linear wants it."""
    return str(UUID(bytes=call.key.bytes, version=4))
