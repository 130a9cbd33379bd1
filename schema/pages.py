"""Relay connections (GraphQL Cursor Connections Specification), forward only."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import strawberry

from domain.errors import InvalidInput
from domain.pages import Page, page_size

Node = TypeVar("Node")
Item = TypeVar("Item")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """As Relay defines it."""

    has_next_page: bool = strawberry.field(description="More follow.")
    has_previous_page: bool = strawberry.field(description="Something came before.")
    start_cursor: str | None = strawberry.field(description="The first edge's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last edge's cursor; give it as `after` for more.")


@strawberry.type(name="Edge", description="One element of a list, with its place.")
class Edge(Generic[Node]):
    """As Relay defines it."""

    cursor: str = strawberry.field(description="This element's place in the list.")
    node: Node = strawberry.field(description="The element.")


@strawberry.type(name="Connection", description="A page of a list.")
class Stream(Generic[Node]):
    """A page of a list that is too long to count."""

    edges: list[Edge[Node]] = strawberry.field(description="The elements with their places.")
    nodes: list[Node] = strawberry.field(description="The elements alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")


@strawberry.type(name="Connection", description="A page of a list.")
class Counted(Generic[Node]):
    """A page of a list that knows its length."""

    edges: list[Edge[Node]] = strawberry.field(description="The elements with their places.")
    nodes: list[Node] = strawberry.field(description="The elements alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")
    total_count: int = strawberry.field(description="How many there are in the whole list.")


def stream(page: Page[Item], node: Callable[[Item], Node], place: Callable[[Item], str]) -> Stream[Node]:
    """A page of nouns as a page of the schema."""
    edges = [Edge(cursor=place(item), node=node(item)) for item in page.items]
    return Stream(edges=edges, nodes=[edge.node for edge in edges], page_info=_info(page, edges))


def counted(page: Page[Item], node: Callable[[Item], Node], place: Callable[[Item], str]) -> Counted[Node]:
    """The same, with the length of the whole list."""
    edges = [Edge(cursor=place(item), node=node(item)) for item in page.items]
    nodes = [edge.node for edge in edges]
    return Counted(edges=edges, nodes=nodes, page_info=_info(page, edges), total_count=page.total or 0)


def cut(items: Sequence[Item], first: int | None, after: str | None, name: Callable[[Item], str]) -> Page[Item]:
    """A page of a list that is in memory, by name."""
    size = page_size(first)
    start = 0
    if after is not None:
        start = sum(1 for item in items if name(item) <= name_in(after))
    found = items[start : start + size]
    return Page(found, has_next=start + size < len(items), has_previous=start > 0, total=len(items))


def id_cursor(value: UUID) -> str:
    """The place of a row."""
    return _encode(f"i:{value.hex}")


def id_in(cursor: str | None) -> UUID | None:
    """The row a cursor names. Raises InvalidInput."""
    if cursor is None:
        return None
    try:
        return UUID(hex=_decode(cursor, "i"))
    except ValueError:
        raise _not_a_cursor() from None


def name_cursor(name: str) -> str:
    """The place of a name."""
    return _encode(f"n:{name}")


def name_in(cursor: str) -> str:
    """The name in a cursor. Raises InvalidInput."""
    return _decode(cursor, "n")


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, kind: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _not_a_cursor() from None
    found, _, rest = text.partition(":")
    if found != kind:
        raise _not_a_cursor()
    return rest


def _not_a_cursor() -> InvalidInput:
    return InvalidInput("This is not a cursor of this list. Use the `endCursor` of a page before, or none.", ("after",))


def _info(page: Page[Item], edges: Sequence[Edge[Node]]) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
