"""Configure CI/CD: a workflow file with the secrets and variables it needs, in one action."""

from typing import TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Part, Result, action
from adapters.github.actions_settings import (
    SecretName,
    SecretValue,
    VariableName,
    VariableValue,
    public_key,
    put_secret,
    put_variable,
)
from adapters.github.files import Content, Text, read_content, write_file
from adapters.github.parameters import BranchName, CommitMessage, Owner, RepoName, Sha
from domain.errors import AlreadyThere, NotThere

FileName: TypeAlias = Annotated[
    str,
    Field(
        description="Name of the file below `.github/workflows/`, such as `ci.yml`.",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.ya?ml$",
        max_length=100,
    ),
]


class SecretToSet(Part):
    """A secret that the workflow uses as `secrets.NAME`."""

    name: SecretName
    value: SecretValue


class VariableToSet(Part):
    """A plain setting that the workflow uses as `vars.NAME`."""

    name: VariableName
    value: VariableValue


class Pipeline(Result):
    """What is configured now."""

    path: str
    commit_sha: str | None = Field(default=None, description="Null when the file was like this already.")
    secrets: list[str] = Field(description="Names of the secrets that were set.")
    variables: list[str] = Field(description="Names of the variables that were set.")
    url: str | None = None


@action(
    effect=Effect.WRITE,
    scopes=("repo", "workflow"),
    idempotent=True,
    look_for="the workflow file, and when its secrets and variables were last updated",
)
async def configure_ci(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    file_name: FileName,
    workflow: Annotated[Text, Field(description="The whole workflow file, YAML.", min_length=1)],
    secrets: Annotated[list[SecretToSet] | None, Field(description="Secrets that it needs.", max_length=50)] = None,
    variables: Annotated[list[VariableToSet] | None, Field(description="Plain settings.", max_length=50)] = None,
    branch: Annotated[
        BranchName | None, Field(description="Where to commit; the default branch when left out.")
    ] = None,
    message: CommitMessage = "Configure CI/CD",
    expected_sha: Annotated[
        Sha | None,
        Field(description="To replace a workflow file that is there: its `sha`, as get_file tells it."),
    ] = None,
) -> Pipeline:
    """Configure CI/CD: set up a GitHub Actions pipeline for build, test and deploy.

    Sets the secrets (sealed before they leave) and the variables first, then writes the workflow file, so that
    a run which the file sets off finds what it needs. A conflict when another file of that name is there and
    `expected_sha` does not name it; nothing is changed then. Start it with dispatch_workflow.
    """
    path = f".github/workflows/{file_name}"
    there = await _found(call, owner, repo, path, branch)
    is_same = there is not None and there.text == workflow
    if there is not None and not is_same and there.sha != expected_sha:
        raise AlreadyThere("Another workflow file of this name is there. Read it and pass its sha as `expected_sha`.")
    if secrets:
        key = await public_key(call, owner, repo)
        for secret in secrets:
            await put_secret(call, owner, repo, key, secret.name, secret.value)
    for variable in variables or ():
        await put_variable(call, owner, repo, variable.name, variable.value)
    set_up = Pipeline(
        path=path, secrets=[each.name for each in secrets or ()], variables=[each.name for each in variables or ()]
    )
    if is_same:
        return set_up.model_copy(update={"url": there.url if there else None})
    sha = there.sha if there else None
    written = await write_file(call, owner, repo, path, workflow, message, branch=branch, sha=sha)
    return set_up.model_copy(update={"commit_sha": written.commit_sha, "url": written.url})


async def _found(call: Call, owner: str, repo: str, path: str, branch: str | None) -> Content | None:
    try:
        return await read_content(call, owner, repo, path, branch)
    except NotThere:
        return None
