"""Every part of the served schema is explained, guarded, and free of secrets."""

import re
from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from domain.callers import PERMISSIONS
from schema.build import printed

SCHEMA = build_schema(printed())
TYPES = {
    name: each
    for name, each in SCHEMA.type_map.items()
    if not is_introspection_type(each) and not is_specified_scalar_type(each)
}

#: Output fields whose name sounds like a secret, and why they are none, or may be told.
NO_SECRETS = {
    "Agent.tokens": "what is kept of the keys: prefix and dates",
    "CreateAgentTokenPayload.agentToken": "what is kept of the key",
    "CreateAgentTokenPayload.token": "the key itself, told once to whoever made it; nothing is kept that could tell it",
    "CreateConnectTokenPayload.token": "told once to whoever made it; only a digest is kept",
    "CreateWebhookPayload.secret": "told once to whoever made the webhook; sealed from then on",
    "Execution.idempotencyKey": "the caller's own word for the execution",
    "Integration.credentialSchema": "what a form asks for; holds no value",
    "RevokeAgentTokenPayload.agentToken": "what is kept of the key",
    "RotateAgentTokenPayload.agentToken": "what is kept of the key",
    "RotateAgentTokenPayload.token": "the new key itself, told once to whoever asked for it",
    "RotateWebhookSecretPayload.secret": "told once to whoever asked for it; sealed from then on",
    "UsageShare.key": "the slug, name or id of what a share belongs to",
}
_SECRET = re.compile(
    r"token|secret|password|passphrase|credential|key|verifier|cipher|sealed|cookie|bearer", re.IGNORECASE
)


def _described() -> Iterator[tuple[str, str | None]]:
    """Every part with its description."""
    for name, each in TYPES.items():
        yield name, each.description
        if isinstance(each, GraphQLEnumType):
            yield from ((f"{name}.{value}", found.description) for value, found in each.values.items())
        if isinstance(each, GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType):
            for key, field in each.fields.items():
                yield f"{name}.{key}", field.description
                if isinstance(field, GraphQLField):
                    yield from ((f"{name}.{key}({word}:)", found.description) for word, found in field.args.items())


def _outputs() -> Iterator[str]:
    for name, each in TYPES.items():
        is_operation = each in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
        if isinstance(each, GraphQLObjectType | GraphQLInterfaceType) and not is_operation:
            yield from (f"{name}.{key}" for key in each.fields)


def test_every_part_has_a_description() -> None:
    assert [name for name, description in _described() if not (description or "").strip()] == []


def test_no_output_field_sounds_like_a_secret_without_a_reason() -> None:
    sounding = {name for name in _outputs() if _SECRET.search(name.partition(".")[2])}
    assert sounding == set(NO_SECRETS)


def test_every_operation_says_who_may_use_it() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    operations = {name for root in roots if root is not None for name in root.fields}
    assert operations == set(PERMISSIONS)


def test_every_mutation_takes_one_input_and_answers_with_its_own_payload() -> None:
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        own = name[0].upper() + name[1:]
        assert {key: str(found.type) for key, found in field.args.items()} == {"input": f"{own}Input!"}
        assert str(field.type) == f"{own}Payload!"
        payload = SCHEMA.type_map[f"{own}Payload"]
        assert isinstance(payload, GraphQLObjectType)
        assert str(payload.fields["errors"].type) == "[UserError!]!"
