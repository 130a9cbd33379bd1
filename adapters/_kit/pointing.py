"""Finding a member in JSON by a dotted path such as `response_metadata.next_cursor`."""

from collections.abc import Mapping, Sequence

from domain.json import Json


def find(data: Json, path: str) -> Json:
    """The member at the path, or None where the path leads nowhere. `*` takes every element of a list."""
    found: Json = data
    parts = path.split(".") if path else []
    for index, part in enumerate(parts):
        if part == "*":
            if not isinstance(found, Sequence) or isinstance(found, str):
                return None
            rest = ".".join(parts[index + 1 :])
            return [find(each, rest) for each in found]
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
