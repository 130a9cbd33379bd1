"""The lookout over requests notices what it promises to notice (see tests/support/descriptions.py)."""

import json

import pytest

from adapters._kit.http import Outgoing
from tests.adapters.kit.sample import BASE_URL
from tests.support.descriptions import Description

PATHS = {
    "/boats": {
        "get": {
            "parameters": [
                {"name": "state", "in": "query", "schema": {"type": "string", "enum": ["in", "out"]}},
                {"name": "page", "in": "query", "schema": {"type": "integer"}},
                {"name": "port", "in": "query", "required": True, "schema": {"type": "string"}},
            ]
        },
        "post": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Boat"}}},
            }
        },
    },
    "/boats/mine": {"get": {}},
    "/boats/{id}": {"parameters": [{"name": "id", "in": "path", "required": True}], "get": {}},
    "/chat.post": {"post": {"parameters": [{"name": "text", "in": "formData", "required": True}]}},
}
BOAT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "length": {"type": "integer"},
        "owner": {"type": "string", "nullable": True},
        "flags": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "object"}]}},
        "kind": {"enum": ["sail", "oar"]},
        "berth": {"type": ["integer", "null"]},
    },
}
DESCRIPTION = Description({"paths": PATHS, "components": {"schemas": {"Boat": BOAT}}})


def mistakes(method: str, path: str, body: object = None, kind: str = "application/json") -> list[str]:
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    return DESCRIPTION.mistakes(Outgoing(method, BASE_URL + path, {"content-type": kind}, raw), BASE_URL)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/boats?port=a&state=in&page=2", None),
        ("GET", "/boats/a%2Fb", None),
        ("GET", "/boats/mine", None),
        ("POST", "/boats", {"name": "Ida"}),
        ("POST", "/boats", {"name": "Ida", "owner": None, "flags": ["a", {}], "kind": "oar", "berth": None}),
    ],
)
def test_what_a_service_describes_passes(method: str, path: str, body: object) -> None:
    assert mistakes(method, path, body) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "/ships", None, "no such route"),
        ("PUT", "/boats", None, "no such route"),
        ("GET", "/boats/a/b", None, "no such route"),
        ("GET", "/boats", None, "`port` is missing"),
        ("GET", "/boats?port=a&color=red", None, "`color` is not described"),
        ("GET", "/boats?port=a&state=lost", None, "`state` is none of"),
        ("GET", "/boats?port=a&page=two", None, "`page` is not a whole number"),
        ("POST", "/boats", None, "the body is missing"),
        ("POST", "/boats", {}, "body.name is missing"),
        ("POST", "/boats", {"name": "Ida", "colour": "red"}, "body.colour is not described"),
        ("POST", "/boats", {"name": None}, "body.name is not of type string"),
        ("POST", "/boats", {"name": "Ida", "length": True}, "body.length is not of type integer"),
        ("POST", "/boats", {"name": "Ida", "flags": [1]}, "body.flags[0] is not of type"),
        ("POST", "/boats", {"name": "Ida", "kind": "steam"}, "body.kind is none of"),
        ("POST", "/boats", [], "body is not of type object"),
    ],
)
def test_what_a_service_would_not_understand_is_noticed(method: str, path: str, body: object, said: str) -> None:
    (mistake,) = mistakes(method, path, body)
    assert said in mistake


def test_forms_are_looked_at_too() -> None:
    form = "application/x-www-form-urlencoded"
    assert mistakes("POST", "/chat.post", b"text=hello", form) == []
    assert "`text` is missing" in mistakes("POST", "/chat.post", b"", form)[0]
    assert "`colour` is not described" in mistakes("POST", "/chat.post", b"text=a&colour=b", form)[0]
    assert "no body of type" in mistakes("POST", "/boats", b"name=Ida", form)[0]
