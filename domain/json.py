"""JSON as types (RFC 8259), so that no `Any` is needed where JSON crosses a border, and its one canonical text."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


def canonical(value: Json) -> bytes:
    """Equal values give equal bytes: keys sorted, no spaces. Used for fingerprints, never for display."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
