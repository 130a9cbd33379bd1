"""Answers as JSON text in UTF-8."""

import json
from collections.abc import Mapping, Sequence

import orjson
from graphql import GraphQLError


def encoded(data: object) -> bytes:
    """orjson; what it will not write (lone surrogates from a service) the standard library escapes."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return json.dumps(data).encode()


def answer(
    data: object, errors: Sequence[GraphQLError] | None = None, extensions: Mapping[str, object] | None = None
) -> bytes:
    """One answer in GraphQL's shape (GraphQL, section 7.1)."""
    content: dict[str, object] = {"data": data}
    if errors:
        content["errors"] = [error.formatted for error in errors]
    if extensions:
        content["extensions"] = extensions
    return encoded(content)


def refusal(errors: Sequence[GraphQLError]) -> bytes:
    """The errors alone, as an `error` message carries them."""
    return encoded([error.formatted for error in errors])
