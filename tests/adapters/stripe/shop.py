"""The Stripe integration before its sandbox, every message held against the description."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters._kit.http import Outgoing
from adapters.stripe.sandbox import sandbox
from adapters.stripe.sandbox_forms import nested
from adapters.stripe.sandbox_state import HARBOUR, KEY
from domain.catalogue import Account
from tests.support.descriptions import Shape, _parameter_mistakes
from tests.support.overheard import Connected, TwoSided, connected


class _Text(str):
    """What a form says: a number or a truth is written as text there, and only there."""

    __slots__ = ()


class FormDescription(TwoSided):
    """A description whose queries and forms nest by brackets."""

    def mistakes(self, outgoing: Outgoing, base_url: str) -> list[str]:
        split = urlsplit(outgoing.url.removeprefix(base_url.rstrip("/")))
        found = self._route(outgoing.method.lower(), split.path)
        if found is None:
            return [f"{outgoing.method} {split.path}: there is no such route"]
        route, values, operation, shared = found
        parameters = [self._shape(each) for each in [*shared, *operation.get("parameters", ())]]
        asked = [each for each in parameters if each["in"] == "query"]
        query: Shape = {
            "type": "object",
            "properties": {each["name"]: each["schema"] for each in asked},
            "required": [each["name"] for each in asked if each.get("required")],
        }
        wrong = [
            *_parameter_mistakes("path", values, parameters),
            *self._schema_mistakes(_told(split.query), query, "query"),
            *self._form_mistakes(outgoing, operation),
        ]
        if not asked and split.query:
            wrong.append("no query is described")
        return [f"{outgoing.method} {route}: {each}" for each in wrong]

    def _form_mistakes(self, outgoing: Outgoing, operation: Shape) -> list[str]:
        described = operation.get("requestBody", {})
        if outgoing.body is None:
            return ["the body is missing"] if described.get("required") else []
        kind = outgoing.headers.get("content-type", "")
        content = described.get("content", {}).get(kind)
        if content is None:
            return [f"no body of type {kind!r} is described"]
        return self._schema_mistakes(_told(outgoing.body.decode()), content["schema"], "body")

    def _schema_mistakes(self, sent: Any, schema: Shape, where: str) -> list[str]:
        if isinstance(sent, _Text):
            sent = _read(sent, self._shape(schema).get("type"))
        elif isinstance(sent, dict) and self._shape(schema).get("type") == "array" and _is_list(sent):
            sent = list(sent.values())
        return super()._schema_mistakes(sent, schema, where)


def _told(text: str) -> Any:
    def marked(tree: Any) -> Any:
        return _Text(tree) if isinstance(tree, str) else {name: marked(each) for name, each in tree.items()}

    return marked(nested(parse_qs(text, keep_blank_values=True)))


def _is_list(tree: Mapping[str, Any]) -> bool:
    return [*tree] == [str(place) for place in range(len(tree))]


def _read(text: str, kind: object) -> Any:
    if kind == "integer" and text.lstrip("-").isdigit():
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


DESCRIPTION = FormDescription.read(Path(__file__).with_name("description.json"))


class Clock:
    """Stands still until it is moved. Epoch seconds."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def open_shop(
    state_file: Path | None = None, *, per_second: int = 1000, now: Callable[[], float] | None = None
) -> AsyncIterator[Connected]:
    """A new sandbox, connected with a restricted key of the harbour's test books."""
    app = sandbox(state_file, per_second=per_second, now=now or Clock())
    account = Account(f"{HARBOUR}:test", "Harbour Office (test mode)")
    async with connected("stripe", app, DESCRIPTION, {"key": KEY}, account) as shop:
        yield shop


def forms(shop: Connected, path: str) -> list[Any]:
    """The forms that were sent to a path, unfolded."""
    heard = [each for each, _ in shop.transport.heard if urlsplit(each.url).path.endswith(path)]
    return [nested(parse_qs(each.body.decode())) for each in heard if each.body is not None]
