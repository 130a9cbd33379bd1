"""The account, and its projects."""

from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Part, action, given
from adapters.vercel.parameters import Limit, ProjectName, ProjectRef, scoped, team_of
from adapters.vercel.results import Account, Project
from domain.errors import AnswerGarbled, Rejected
from domain.json import Json

Command: TypeAlias = Annotated[
    str, Field(description="A shell command; Vercel's own choice when left out.", min_length=1, max_length=256)
]
Folder: TypeAlias = Annotated[
    str,
    Field(
        description="A folder of the repository, without a slash at the beginning.",
        max_length=256,
        pattern=r"^[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
Framework: TypeAlias = Annotated[
    str,
    Field(
        description="The framework, as Vercel names it: `nextjs`, `vite`, `astro`, `remix`, `sveltekit`, `nuxtjs`... "
        "Left out for plain files.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,39}$",
    ),
]
NodeVersion: TypeAlias = Annotated[
    Literal["22.x", "20.x", "18.x"], Field(description="The version of Node.js that builds and runs the project.")
]


class GitRepository(Part):
    """The repository a project is built from."""

    type: Annotated[Literal["github", "gitlab", "bitbucket"], Field(description="Where the repository is.")]
    repo: Annotated[
        str,
        Field(
            description="Owner and name, e.g. `harbour-works/site`.",
            max_length=200,
            pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$",
        ),
    ]


@action(effect=Effect.READ, scopes=("read:user", "read:team"))
async def get_account(call: Call) -> Account:
    """Show whose account this is.

    A connection that names a team is the team's; else it is a person's.
    """
    if team := team_of(call):
        found = (await call.get("v2/teams/{team}", team=team)).json
        return Account.of({**found, "kind": "team"} if isinstance(found, dict) else found)
    found = (await call.get("v2/user")).at("user")
    return Account.of({**found, "kind": "user"} if isinstance(found, dict) else found)


@action(effect=Effect.READ, scopes=("read:project",))
async def list_projects(
    call: Call,
    *,
    search: Annotated[
        str | None, Field(description="Only projects whose name holds this.", min_length=1, max_length=100)
    ] = None,
    limit: Limit = 50,
) -> list[Project]:
    """List the projects (websites and apps) of the account or team."""
    query = scoped(call, search=search)
    found = await call.pages("v10/projects", limit=limit, items="projects", query=query, parameter="from")
    return [Project.of(each) for each in found]


@action(effect=Effect.READ, scopes=("read:project",))
async def get_project(call: Call, *, project: ProjectRef) -> Project:
    """Show one project.

    With the repository it is built from, how it is built, and which deployment production serves.
    """
    answer = await call.get("v9/projects/{project}", query=scoped(call), project=project)
    return Project.of(answer.json)


@action(effect=Effect.WRITE, scopes=("read-write:project",), look_for="a project with this name")
async def create_project(
    call: Call,
    *,
    name: ProjectName,
    framework: Framework | None = None,
    git_repository: Annotated[
        GitRepository | None,
        Field(description="Build from this repository. Vercel's Git integration must be installed there."),
    ] = None,
    root_directory: Folder | None = None,
    build_command: Command | None = None,
    install_command: Command | None = None,
    output_directory: Folder | None = None,
) -> Project:
    """Create a project (a website or app) to deploy to.

    It is a conflict when the name is taken. Nothing is deployed by this; environment variables are set afterwards
    with set_env_var, files or a branch are put online with deploy.
    """
    repository: Json = git_repository.model_dump() if git_repository else None
    body = given(
        name=name,
        framework=framework,
        gitRepository=repository,
        rootDirectory=root_directory,
        buildCommand=build_command,
        installCommand=install_command,
        outputDirectory=output_directory,
    )
    answer = await call.post("v11/projects", json=body, query=scoped(call))
    return Project.of(answer.json)


@action(
    effect=Effect.WRITE,
    scopes=("read-write:project",),
    idempotent=True,
    look_for="the project's settings, under General and Build",
)
async def update_project(
    call: Call,
    *,
    project: ProjectRef,
    name: Annotated[ProjectName | None, Field(description="A new name; its addresses change with it.")] = None,
    framework: Framework | None = None,
    root_directory: Folder | None = None,
    build_command: Command | None = None,
    install_command: Command | None = None,
    output_directory: Folder | None = None,
    node_version: NodeVersion | None = None,
) -> Project:
    """Change a project's settings.

    What is left out stays as it is. Build settings take effect with the next deployment.
    """
    body = given(
        name=name,
        framework=framework,
        rootDirectory=root_directory,
        buildCommand=build_command,
        installCommand=install_command,
        outputDirectory=output_directory,
        nodeVersion=node_version,
    )
    if not body:
        raise Rejected("Say what to change. Nothing was sent.")
    answer = await call.send("PATCH", "v9/projects/{project}", json=body, query=scoped(call), project=project)
    return Project.of(answer.json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read-write:project",),
    idempotent=True,
    look_for="the project in the list of projects, where it should be gone",
)
async def delete_project(call: Call, *, project: ProjectRef) -> None:
    """Delete a project for good.

    Its deployments go offline and are deleted, and its domains no longer lead anywhere. It cannot be undone.
    """
    answer = await call.send("DELETE", "v9/projects/{project}", query=scoped(call), project=project)
    if answer.status not in (200, 204):
        raise AnswerGarbled("Vercel did not say whether the project is gone.", status=answer.status)
