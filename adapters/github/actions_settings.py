"""What GitHub Actions workflows are given: secrets, which nobody can read again, and plain variables."""

from datetime import datetime
from typing import TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Result, action
from adapters.github.parameters import Limit, Owner, RepoName
from adapters.github.sealing import sealed
from domain.errors import NotThere
from domain.json import Json

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
SecretName: TypeAlias = Annotated[
    str,
    Field(description="Such as `DEPLOY_TOKEN`; not beginning with `GITHUB_`.", pattern=_NAME, max_length=100),
]
SecretValue: TypeAlias = Annotated[
    str,
    Field(
        description="The secret itself. It is sealed before it leaves and cannot be read back by anybody.",
        min_length=1,
        max_length=32_000,
        json_schema_extra={"writeOnly": True},
    ),
]
VariableName: TypeAlias = Annotated[
    str,
    Field(description="Such as `DEPLOY_REGION`; not beginning with `GITHUB_`.", pattern=_NAME, max_length=100),
]
VariableValue: TypeAlias = Annotated[
    str, Field(description="Plain text that everybody with access to the repository can read.", max_length=48_000)
]

_SECRETS = "repos/{owner}/{repo}/actions/secrets"
_VARIABLES = "repos/{owner}/{repo}/actions/variables"


class PublicKey(Result):
    """What secrets of a repository are sealed with."""

    key_id: str
    key: str = Field(description="Curve25519, base64.")


class KnownSecret(Result):
    """A secret by its name. Its value cannot be read."""

    name: str
    created_at: datetime
    updated_at: datetime


class SetSecret(Result):
    """A secret that is set now."""

    name: str
    is_new: bool = Field(description="False when it replaced an earlier value.")


class Variable(Result):
    """A variable of a repository."""

    name: str
    value: str
    updated_at: datetime | None = None


class SetVariable(Result):
    """A variable that is set now."""

    name: str
    is_new: bool = Field(description="False when it replaced an earlier value.")


@action(effect=Effect.READ, scopes=("repo",))
async def get_actions_public_key(call: Call, *, owner: Owner, repo: RepoName) -> PublicKey:
    """Show the key that Actions secrets are sealed with.

    set_actions_secret reads it itself; this is for sealing elsewhere.
    """
    return await public_key(call, owner, repo)


@action(effect=Effect.READ, scopes=("repo",))
async def list_actions_secrets(call: Call, *, owner: Owner, repo: RepoName, limit: Limit = 100) -> list[KnownSecret]:
    """List the names of a repository's Actions secrets.

    Their values cannot be read, by nobody.
    """
    found = await call.pages(_SECRETS, limit=limit, items="secrets", owner=owner, repo=repo)
    return [KnownSecret.of(each) for each in found]


@action(
    effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="when the secret of this name was last updated"
)
async def set_actions_secret(
    call: Call, *, owner: Owner, repo: RepoName, name: SecretName, value: SecretValue
) -> SetSecret:
    """Set an Actions secret: a password, token or key for workflows.

    The value is sealed with the repository's key before it is sent. An earlier value is replaced and gone.
    """
    key = await public_key(call, owner, repo)
    return await put_secret(call, owner, repo, key, name, value)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("repo",),
    idempotent=True,
    look_for="the secret of this name among the repository's Actions secrets",
)
async def delete_actions_secret(call: Call, *, owner: Owner, repo: RepoName, name: SecretName) -> None:
    """Delete an Actions secret.

    Workflows that use it then get an empty text. It cannot be brought back.
    """
    await call.delete(_SECRETS + "/{name}", owner=owner, repo=repo, name=name)


@action(effect=Effect.READ, scopes=("repo",))
async def list_actions_variables(call: Call, *, owner: Owner, repo: RepoName, limit: Limit = 30) -> list[Variable]:
    """List a repository's Actions variables, with their values.

    Plain settings of workflows; secrets are elsewhere, see list_actions_secrets.
    """
    # GitHub gives at most 30 of these on a page, whatever is asked for; the walk goes by links and does not mind.
    found = await call.pages(_VARIABLES, limit=limit, items="variables", owner=owner, repo=repo)
    return [Variable.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="the value of this variable")
async def set_actions_variable(
    call: Call, *, owner: Owner, repo: RepoName, name: VariableName, value: VariableValue
) -> SetVariable:
    """Set an Actions variable: a plain setting of a repository's workflows.

    Made when it is new, replaced when it is there. Not for secrets: everybody with access can read it.
    """
    return await put_variable(call, owner, repo, name, value)


async def put_secret(call: Call, owner: str, repo: str, key: PublicKey, name: str, value: str) -> SetSecret:
    """Seal and set one secret."""
    body: dict[str, Json] = {"encrypted_value": sealed(value, key.key), "key_id": key.key_id}
    answer = await call.put(_SECRETS + "/{name}", json=body, owner=owner, repo=repo, name=name)
    return SetSecret(name=name, is_new=answer.status == 201)


async def put_variable(call: Call, owner: str, repo: str, name: str, value: str) -> SetVariable:
    """Change the variable, or make it when there is none."""
    body: dict[str, Json] = {"name": name, "value": value}
    try:
        await call.patch(_VARIABLES + "/{name}", json=body, owner=owner, repo=repo, name=name)
    except NotThere:
        await call.post(_VARIABLES, json=body, owner=owner, repo=repo)
        return SetVariable(name=name, is_new=True)
    return SetVariable(name=name, is_new=False)


async def public_key(call: Call, owner: str, repo: str) -> PublicKey:
    """The key that secrets of the repository are sealed with."""
    return PublicKey.of((await call.get(_SECRETS + "/public-key", owner=owner, repo=repo)).json)
