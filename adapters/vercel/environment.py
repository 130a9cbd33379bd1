"""Environment variables of a project. Values go in and never come out."""

from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, action, given
from adapters.vercel.parameters import BranchName, ProjectRef, scoped
from adapters.vercel.results import EnvVar
from domain.errors import AlreadyThere, AnswerGarbled, Rejected
from domain.json import Json

Key: TypeAlias = Annotated[
    str, Field(description="The variable's name, e.g. `DATABASE_URL`.", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,255}$")
]
Value: TypeAlias = Annotated[
    str,
    Field(
        description="The variable's value. It is handled as a secret: no action ever shows it again.",
        max_length=65_536,
        json_schema_extra={"writeOnly": True},
    ),
]
EnvironmentName: TypeAlias = Literal["production", "preview", "development"]
Targets: TypeAlias = Annotated[
    list[EnvironmentName],
    Field(description="The environments that get the variable.", min_length=1, max_length=3),
]
Kind: TypeAlias = Annotated[
    Literal["encrypted", "plain", "sensitive"],
    Field(
        description="How Vercel keeps it: `encrypted`; `sensitive` is never shown again at Vercel either, and not for "
        "development; `plain` is for what is no secret."
    ),
]
Comment: TypeAlias = Annotated[str, Field(description="A note beside the variable.", max_length=500)]
EnvId: TypeAlias = Annotated[
    str, Field(description="The variable's id, as list_env_vars tells it.", pattern=r"^[A-Za-z0-9_-]{1,100}$")
]

_ENV = "v10/projects/{project}/env"
_ONE = "v9/projects/{project}/env/{id}"


@action(effect=Effect.READ, scopes=("read:project-env-vars",))
async def list_env_vars(call: Call, *, project: ProjectRef, git_branch: BranchName | None = None) -> list[EnvVar]:
    """List the environment variables of a project (configuration and secrets).

    Names and environments only: values are never read. `git_branch` narrows to what preview deployments of the
    branch get.
    """
    query = scoped(call, gitBranch=git_branch, decrypt="false")
    answer = await call.get(_ENV, query=query, project=project)
    if answer.at("envs") is None and isinstance(answer.at("key"), str):  # described for when there is only one
        return [EnvVar.of(answer.json)]
    return [EnvVar.of(each) for each in answer.objects("envs")]


@action(
    effect=Effect.WRITE,
    scopes=("read-write:project-env-vars",),
    idempotent=True,
    look_for="the variable in the project's settings, under Environment Variables",
)
async def set_env_var(
    call: Call,
    *,
    project: ProjectRef,
    key: Key,
    value: Value,
    targets: Targets,
    type: Kind = "encrypted",
    git_branch: Annotated[BranchName | None, Field(description="Only for preview deployments of this branch.")] = None,
    comment: Comment | None = None,
) -> EnvVar:
    """Set an environment variable of a project.

    For configuration and secrets: an API key, a connection string. Creates it, or replaces the value when it is there
    already. It takes effect with the next deployment: deploy again afterwards.
    """
    body = given(key=key, value=value, type=type, target=[*targets], gitBranch=git_branch, comment=comment)
    query = scoped(call, upsert="true")
    answer = await call.post(_ENV, json=body, query=query, project=project)
    return _set(answer.at("created"), answer.at("failed"), answer.status)


def _set(created: Json, failed: Json, status: int) -> EnvVar:
    if isinstance(created, list):
        created = created[0] if created else None
    if isinstance(created, dict):
        return EnvVar.of(created)
    if isinstance(failed, list) and failed:
        raise AlreadyThere("Vercel did not set the variable: it contradicts one that is there.", status=status)
    raise AnswerGarbled("Vercel did not say whether the variable was set.", status=status)


@action(
    effect=Effect.WRITE,
    scopes=("read-write:project-env-vars",),
    idempotent=True,
    look_for="the variable in the project's settings, under Environment Variables",
)
async def update_env_var(
    call: Call,
    *,
    project: ProjectRef,
    id: EnvId,
    key: Annotated[Key | None, Field(description="A new name.")] = None,
    value: Annotated[
        Value | None,
        Field(description="A new value, handled as a secret.", json_schema_extra={"writeOnly": True}),
    ] = None,
    targets: Targets | None = None,
    type: Kind | None = None,
    comment: Comment | None = None,
) -> EnvVar:
    """Change an environment variable by its id.

    What is left out stays as it is. It takes effect with the next deployment.
    """
    chosen: Json = [*targets] if targets else None
    body = given(key=key, value=value, target=chosen, type=type, comment=comment)
    if not body:
        raise Rejected("Say what to change. Nothing was sent.")
    answer = await call.send("PATCH", _ONE, json=body, query=scoped(call), project=project, id=id)
    return EnvVar.of(answer.json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read-write:project-env-vars",),
    idempotent=True,
    look_for="the variable in the project's settings, where it should be gone",
)
async def delete_env_var(call: Call, *, project: ProjectRef, id: EnvId) -> None:
    """Delete an environment variable.

    Deployments that are online keep it; the next one is made without it. Its value cannot be brought back.
    """
    await call.send("DELETE", _ONE, query=scoped(call), project=project, id=id)
