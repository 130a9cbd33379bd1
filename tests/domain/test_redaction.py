"""What a service was shown of a credential does not come back through its answers."""

import base64

import pytest

from domain.catalogue import AuthScheme, Credential
from domain.json import Json, JsonObject
from domain.redaction import HIDDEN, secrets_of, without
from domain.secrets import Secret

TOKEN = "gho_canary_0123456789"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"Bearer {TOKEN}", f"Bearer {HIDDEN}"),
        ({"a": [1, None, True, {"b": f"{TOKEN}{TOKEN}"}]}, {"a": [1, None, True, {"b": HIDDEN * 2}]}),
        ({TOKEN: 1}, {HIDDEN: 1}),
        (f"Basic {base64.b64encode(f'{TOKEN}:'.encode()).decode()}", f"Basic {HIDDEN}"),
        ("nothing of the kind", "nothing of the kind"),
        (7, 7),
        (None, None),
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(value: Json, expected: Json) -> None:
    assert without(value, [Secret(TOKEN)]) == expected


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    assert without("a key is a key", [Secret("key"), Secret("")]) == "a key is a key"


def test_a_field_that_the_form_shows_is_no_secret() -> None:
    form: JsonObject = {"properties": {"username": {"type": "string"}, "token": {"writeOnly": True}}}
    secrets = {"username": Secret("sandbox-test"), "token": Secret(TOKEN), "unknown": Secret("who-knows-what")}
    typed = Credential(AuthScheme.API_KEY, secrets, {})
    assert secrets_of(typed, form) == [secrets["token"], secrets["unknown"]]
    granted = Credential(AuthScheme.OAUTH2, secrets, {})
    assert secrets_of(granted, form) == list(secrets.values())
