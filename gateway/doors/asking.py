"""What a GraphQL request over HTTP holds (GraphQL over HTTP, sections 4 and 5): read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import orjson

_OBJECT_WANTED = "The body must be a JSON object with a `query`."


class Malformed(Exception):
    """The body is not a GraphQL request; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation. `variables` is None when there are none."""

    query: str
    variables: dict[str, object] | None
    operation_name: str | None


def read(body: bytes) -> Asked:
    """Raises Malformed. A list would be a batch, which is not offered."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON, or nested too deeply.") from None
    if not isinstance(data, Mapping):
        raise Malformed(_OBJECT_WANTED)
    query, variables, name = data.get("query"), data.get("variables"), data.get("operationName")
    if not isinstance(query, str) or not query:
        raise Malformed(_OBJECT_WANTED)
    if variables is not None and not isinstance(variables, dict):
        raise Malformed("`variables` must be an object.")
    if name is not None and not isinstance(name, str):
        raise Malformed("`operationName` must be a string.")
    return Asked(query, cast("dict[str, object] | None", variables), name)
