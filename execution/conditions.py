"""Argument conditions of a grant: JSON Schemas (2020-12) by action name or pattern, which parameters must satisfy too.

They are an administrator's words, kept as data: nothing in them is fetched, and their regular expressions run on an
engine that cannot be made slow.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

import jsonschema_rs

from domain.grants import Conditions, Grant
from domain.history import matches
from domain.json import Json, JsonObject, canonical

_MOST_MISTAKES = 5
_LARGEST_BYTES = 20_000


def conditions_on(action: str, parameters: JsonObject) -> Conditions:
    """What a grant says to these parameters: every condition that is not met, in one sentence; None when all are."""

    def unmet(grant: Grant) -> str | None:
        found = [
            f"{_pointer(each) or 'the parameters'}: {each.message}"
            for pattern, schema in (grant.constraints or {}).items()
            if matches(pattern, action)
            for each in _validator(canonical(schema)).iter_errors(parameters)
        ]
        if not found:
            return None
        return f"The grant's conditions are not met. {'; '.join(found[:_MOST_MISTAKES])}"[:1_000]

    return unmet


def are_met(schema: Json, parameters: JsonObject) -> bool:
    """Whether parameters satisfy one condition; no condition is always met."""
    return schema is None or _validator(canonical(schema)).is_valid(parameters)


def mistake_in(constraints: Json) -> str | None:
    """What is wrong with conditions that somebody wants to give a grant; None when they are fit."""
    if not isinstance(constraints, Mapping):
        return "Conditions are an object: a JSON Schema for each action name or pattern."
    if len(canonical(constraints)) > _LARGEST_BYTES:
        return f"Conditions take at most {_LARGEST_BYTES} bytes."
    for pattern, schema in constraints.items():
        if not isinstance(schema, (dict, bool)):
            return f"The condition for {pattern[:100]} is not a JSON Schema."
        try:
            _compiled(canonical(schema))
        except jsonschema_rs.ValidationError as error:
            return f"The condition for {pattern[:100]} is not a JSON Schema: {error.message}"[:500]
        except (jsonschema_rs.ReferencingError, ValueError):
            return f"The condition for {pattern[:100]} refers to something outside itself."
    return None


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path)


def _refuse(address: str, /) -> NoReturn:
    raise ValueError(address)


@lru_cache(maxsize=1_024)
def _validator(schema: bytes) -> jsonschema_rs.Validator:
    """What was asked with is not repeated: it may be a secret."""
    return _compiled(schema, mask="this value")


def _compiled(schema: bytes, mask: str | None = None) -> jsonschema_rs.Validator:
    patterns = jsonschema_rs.RegexOptions()
    return jsonschema_rs.validator_for(schema.decode(), retriever=_refuse, pattern_options=patterns, mask=mask)
