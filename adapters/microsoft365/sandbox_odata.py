"""As much of OData's query options as Mandate's actions use: `$filter`, `$search`, `$orderby`, `$select`, paging.

What is not understood is refused, as Graph refuses what it does not support, rather than passed over.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

Shape: TypeAlias = dict[str, JsonValue]

_LITERAL = r"(?P<literal>'(?:[^']|'')*'|true|false|[0-9T:.Z-]+)"
_COMPARED = re.compile(rf"(?P<path>[A-Za-z]+(?:/[A-Za-z]+)*) (?P<word>eq|ne|ge|gt|le|lt) {_LITERAL}")
_CALLED = re.compile(rf"(?P<word>startswith|contains)\((?P<path>[A-Za-z]+(?:/[A-Za-z]+)*),\s*{_LITERAL}\)")
_ANY = re.compile(r"(?P<path>[A-Za-z]+)/any\((?P<name>[a-z]+):\s*(?P<inside>.*)\)", re.DOTALL)
_WORDS = re.compile(r'"((?:[^"\\]|\\.)*)"')

_ORDER: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda found, asked: found == asked,
    "ne": lambda found, asked: found != asked,
    "ge": lambda found, asked: found >= asked,
    "gt": lambda found, asked: found > asked,
    "le": lambda found, asked: found <= asked,
    "lt": lambda found, asked: found < asked,
    "startswith": lambda found, asked: found.startswith(asked),
    "contains": lambda found, asked: asked in found,
}


class NotUnderstood(Exception):
    """A query option this sandbox does not know."""


def matches(shape: Shape, condition: str) -> bool:
    """Whether `$filter` keeps this. Raises NotUnderstood."""
    held = [_holds(shape, clause) for clause in _clauses(condition)]  # each is looked at, so that each is understood
    return all(held)


def searched(search: str) -> list[str]:
    """The words of `$search`, in lower case. Raises NotUnderstood when it is not one quoted expression."""
    found = _WORDS.fullmatch(search.strip())
    if found is None:
        raise NotUnderstood("The search expression is not quoted as it must be.")
    plain = re.sub(r"\\(.)", r"\1", found[1])
    return [word.rpartition(":")[2].strip('"').lower() for word in plain.split()]


def ordered(shapes: Sequence[Shape], order: str) -> list[Shape]:
    """By `$orderby`: one member, `desc` after it or not."""
    path, _, way = order.partition(" ")
    return sorted(shapes, key=lambda each: str(_at(each, path) or "").lower(), reverse=way.strip() == "desc")


def chosen(shape: Shape, select: str) -> Shape:
    """By `$select`, the id always among it; without one, all that does not begin with an underscore."""
    if not select:
        return {name: value for name, value in shape.items() if not name.startswith("_")}
    names = {"id", *select.split(",")}
    told = {name.lstrip("_"): value for name, value in shape.items()}
    return {name: value for name, value in told.items() if name in names or name.startswith("@")}


def skip_token(offset: int) -> str:
    """Where the next page begins, as nobody should read it."""
    return base64.urlsafe_b64encode(f"skip-{offset}".encode()).decode()


def skipped(token: str) -> int:
    """The offset in a token of ours. Raises NotUnderstood for others."""
    try:
        told = base64.urlsafe_b64decode(token.encode()).decode().removeprefix("skip-") if token else "0"
    except (binascii.Error, UnicodeError, ValueError):
        told = ""
    if not told.isdigit():
        raise NotUnderstood("The skip token is not known.")
    return int(told)


def _clauses(condition: str) -> list[str]:
    """Split at ` and `, but not inside quotes or brackets."""
    parts, depth, quoted, begun = [], 0, False, 0
    for position, sign in enumerate(condition):
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += (sign == "(") - (sign == ")")
            if depth == 0 and condition.startswith(" and ", position):
                parts.append(condition[begun:position])
                begun = position + len(" and ")
    return [*parts, condition[begun:]]


def _holds(shape: Shape, clause: str) -> bool:
    if found := _ANY.fullmatch(clause):
        inside = found["inside"].replace(f"{found['name']}/", "")
        elements = _at(shape, found["path"])
        return any(
            [matches(each, inside) for each in elements if isinstance(each, dict)] if isinstance(elements, list) else []
        )
    found = _COMPARED.fullmatch(clause) or _CALLED.fullmatch(clause)
    if found is None:
        raise NotUnderstood(f"Invalid filter clause: {clause[:80]}")
    return _ORDER[found["word"]](_plain(_at(shape, found["path"])), _literal(found["literal"]))


def _at(shape: JsonValue, path: str) -> JsonValue:
    for name in path.split("/"):
        shape = (shape.get(name, shape.get(f"_{name}"))) if isinstance(shape, dict) else None
    return shape


def _plain(value: JsonValue) -> str:
    return str(value).lower() if value is not None else ""


def _literal(text: str) -> str:
    """Strings compare without regard to letter case, as Graph compares most of them."""
    return text[1:-1].replace("''", "'").lower() if text.startswith("'") else text.lower()
