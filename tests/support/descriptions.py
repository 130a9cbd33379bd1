"""Holding requests against a service's own description of its API (OpenAPI 3, and what we need of Swagger 2).

    description = Description.read(Path(__file__).with_name("description.json"))
    assert description.mistakes(outgoing, base_url) == []

Checked: the route exists, required parameters are there, no query or body member is unknown, basic types and
enums fit. Not checked: formats, lengths, patterns, headers, anything about answers. It looks out for requests
that a service would not understand; it is not a validator.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from adapters._kit.http import Outgoing

# A description is somebody else's JSON of any shape; it is looked into here and nowhere else.
Shape: TypeAlias = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@dataclass(frozen=True)
class Description:
    """What a service says about its requests."""

    document: Shape

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a JSON file."""
        return cls(json.loads(path.read_text()))

    def mistakes(self, outgoing: Outgoing, base_url: str) -> list[str]:
        """What the service would not understand in this request, in words; empty when all is well."""
        split = urlsplit(outgoing.url.removeprefix(base_url.rstrip("/")))
        found = self._route(outgoing.method.lower(), split.path)
        if found is None:
            return [f"{outgoing.method} {split.path}: there is no such route"]
        route, values, operation, shared = found
        parameters = [self._shape(each) for each in [*shared, *operation.get("parameters", ())]]
        query = parse_qs(split.query, keep_blank_values=True)
        wrong = [
            *_parameter_mistakes("path", values, parameters),
            *_parameter_mistakes("query", query, parameters),
            *self._body_mistakes(outgoing, operation, parameters),
        ]
        return [f"{outgoing.method} {route}: {each}" for each in wrong]

    def routes(self) -> set[str]:
        """All routes, as `GET /path/{parameter}`."""
        paths: Shape = self.document["paths"]
        return {f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in _METHODS}

    def _route(self, method: str, path: str) -> tuple[str, Mapping[str, Sequence[str]], Shape, Sequence[Shape]] | None:
        """The plainest route that fits: one without parameters goes before one with."""
        for route, item in sorted(self.document["paths"].items(), key=lambda each: each[0].count("{")):
            names = re.findall(r"\{([^}]+)\}", route)
            pattern = "([^/]+)".join(map(re.escape, re.split(r"\{[^}]+\}", route)))
            fits = re.fullmatch(pattern, path)
            if fits and method in item:
                values = {name: [unquote(value)] for name, value in zip(names, fits.groups(), strict=True)}
                return route, values, item[method], item.get("parameters", ())
        return None

    def _body_mistakes(self, outgoing: Outgoing, operation: Shape, parameters: Sequence[Shape]) -> Iterator[str]:
        fields = [each for each in parameters if each["in"] == "formData"]
        described = self._shape(operation.get("requestBody", {}))
        whole = next((each for each in parameters if each["in"] == "body"), None)
        if whole is not None:  # Swagger 2
            content = {"application/json": {"schema": whole["schema"]}}
            described = {"required": whole.get("required", False), "content": content}
        if outgoing.body is None:
            if described.get("required") or any(each.get("required") for each in fields):
                yield "the body is missing"
            return
        kind = outgoing.headers.get("content-type", "").partition(";")[0]
        if kind == "application/x-www-form-urlencoded" and fields:
            yield from _parameter_mistakes("formData", parse_qs(outgoing.body.decode()), fields)
        elif kind in described.get("content", {}):
            sent = json.loads(outgoing.body) if "json" in kind else _single(parse_qs(outgoing.body.decode()))
            yield from self._schema_mistakes(sent, described["content"][kind].get("schema", {}), "body")
        else:
            yield f"no body of type {kind!r} is described"

    def _schema_mistakes(self, sent: Any, schema: Shape, where: str) -> list[str]:
        schema = self._shape(schema)
        if sent is None and schema.get("nullable"):
            return []
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                tried = [self._schema_mistakes(sent, each, where) for each in schema[choice]]
                if all(tried):
                    return min(tried, key=len)
        whole = [wrong for each in schema.get("allOf", ()) for wrong in self._schema_mistakes(sent, each, where)]
        if not _is_of(sent, schema.get("type")):
            return [*whole, f"{where} is not of type {schema['type']}"]
        if "enum" in schema and sent not in schema["enum"]:
            return [*whole, f"{where} is none of {schema['enum']}"]
        if isinstance(sent, list):
            return whole + [
                wrong
                for index, each in enumerate(sent)
                for wrong in self._schema_mistakes(each, schema.get("items", {}), f"{where}[{index}]")
            ]
        return whole + self._member_mistakes(sent, schema, where) if isinstance(sent, dict) else whole

    def _member_mistakes(self, sent: Mapping[str, Any], schema: Shape, where: str) -> list[str]:
        properties: Shape = schema.get("properties", {})
        wrong = [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in sent]
        for name, value in sent.items():
            if name in properties:
                wrong += self._schema_mistakes(value, properties[name], f"{where}.{name}")
            elif properties and not schema.get("additionalProperties"):
                wrong.append(f"{where}.{name} is not described")
        return wrong

    def _shape(self, shape: Shape) -> Shape:
        """The shape itself, where only a reference to it is given."""
        while "$ref" in shape:
            found: Any = self.document
            for part in shape["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            shape = found
        return shape


def _parameter_mistakes(place: str, sent: Mapping[str, Sequence[str]], parameters: Sequence[Shape]) -> Iterator[str]:
    described = {each["name"]: each for each in parameters if each["in"] == place}
    for name, parameter in described.items():
        if parameter.get("required") and not any(sent.get(name, ())):
            yield f"the {place} parameter `{name}` is missing"
    for name, values in sent.items():
        if name not in described:
            yield f"the {place} parameter `{name}` is not described"
            continue
        schema = described[name].get("schema", described[name])
        if schema.get("type") == "integer" and not all(value.lstrip("-").isdigit() for value in values):
            yield f"the {place} parameter `{name}` is not a whole number"
        if "enum" in schema and not set(values) <= set(schema["enum"]):
            yield f"the {place} parameter `{name}` is none of {schema['enum']}"


def _is_of(sent: Any, named: str | Sequence[str] | None) -> bool:
    """Whether JSON is of the type; OpenAPI 3.1 may name several. True and false are no numbers here."""
    names = [named] if isinstance(named, str) else named or list(_TYPES)
    return any(isinstance(sent, _TYPES[name]) and (name == "boolean" or not isinstance(sent, bool)) for name in names)


def _single(form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in form.items()}
