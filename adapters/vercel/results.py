"""What Vercel's actions answer with. Moments are RFC 3339 in UTC; Vercel writes them in milliseconds."""

from datetime import UTC, datetime
from typing import Self, TypeAlias

from adapters._kit import AliasChoices, AliasPath, Annotated, BeforeValidator, Field, Result, field_validator
from domain.json import Json, JsonObject

LONGEST_LINE = 2000
_LARGEST_MS = 253_402_300_799_999  # the end of the year 9999

FINISHED = frozenset({"READY", "ERROR", "CANCELED", "DELETED"})


def _moment(told: Json) -> Json:
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told <= _LARGEST_MS:
        return None if told is None else told
    return datetime.fromtimestamp(told / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(told: Json) -> Json:
    if not isinstance(told, str) or len(told) <= LONGEST_LINE:
        return told
    return told[:LONGEST_LINE] + "…"


Moment: TypeAlias = Annotated[str, BeforeValidator(_moment)]
Line: TypeAlias = Annotated[str, BeforeValidator(_line)]


class Account(Result):
    """Who is connected: a person, or the team the connection is for."""

    id: str
    kind: str = Field(description="`user` or `team`.")
    name: str | None = None
    handle: str = Field(validation_alias=AliasChoices("username", "slug"))
    email: str | None = None


class Repository(Result):
    """The Git repository a project is built from."""

    type: str
    owner: str | None = Field(default=None, validation_alias=AliasChoices("org", "projectNamespace", "owner"))
    name: str | None = Field(default=None, validation_alias=AliasChoices("repo", "projectName", "name"))
    id: str | None = Field(default=None, validation_alias=AliasChoices("repoId", "projectId", "uuid"))
    production_branch: str | None = Field(default=None, validation_alias="productionBranch")

    @field_validator("id", mode="before")
    @classmethod
    def _as_text(cls, told: Json) -> Json:
        return str(told) if isinstance(told, int) else told


class Project(Result):
    """A project."""

    id: str
    name: str
    framework: str | None = None
    repository: Repository | None = Field(default=None, validation_alias="link")
    root_directory: str | None = Field(default=None, validation_alias="rootDirectory")
    build_command: str | None = Field(default=None, validation_alias="buildCommand")
    install_command: str | None = Field(default=None, validation_alias="installCommand")
    output_directory: str | None = Field(default=None, validation_alias="outputDirectory")
    node_version: str | None = Field(default=None, validation_alias="nodeVersion")
    production_deployment_id: str | None = Field(
        default=None,
        validation_alias=AliasPath("targets", "production", "id"),
        description="The deployment that production serves, when there is one.",
    )
    created_at: Moment | None = Field(default=None, validation_alias="createdAt")
    updated_at: Moment | None = Field(default=None, validation_alias="updatedAt")


class Deployment(Result):
    """A deployment, as it was when it was looked at."""

    id: str = Field(validation_alias=AliasChoices("id", "uid"))
    name: str
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("projectId", AliasPath("project", "id")))
    url: str | None = Field(default=None, description="Where it is, once it is READY.")
    state: str = Field(
        validation_alias=AliasChoices("readyState", "state", "status"),
        description="QUEUED, INITIALIZING and BUILDING go on; READY, ERROR and CANCELED are final.",
    )
    is_finished: bool = Field(default=False, description="Whether the state is final.")
    target: str | None = Field(default=None, description="`production`, or null for a preview.")
    aliases: list[str] = Field(default=[], validation_alias="alias", description="Other addresses that lead to it.")
    error_code: str | None = Field(default=None, validation_alias="errorCode")
    error_message: Line | None = Field(default=None, validation_alias="errorMessage")
    inspector_url: str | None = Field(default=None, validation_alias="inspectorUrl", description="Its page at Vercel.")
    created_at: Moment | None = Field(default=None, validation_alias=AliasChoices("createdAt", "created"))
    ready_at: Moment | None = Field(default=None, validation_alias="ready")

    @field_validator("url")
    @classmethod
    def _whole(cls, url: str | None) -> str | None:
        return url if url is None or "://" in url else f"https://{url}"

    @classmethod
    def of(cls, data: Json) -> Self:
        """See Result. A state is final or not by its name."""
        read = super().of(data)
        return read.model_copy(update={"is_finished": read.state in FINISHED})


class LogLine(Result):
    """One line of a build."""

    at: Moment | None = None
    kind: str = Field(description="`command`, `stdout`, `stderr`, or what else Vercel tells of.")
    text: Line

    @classmethod
    def of_event(cls, event: JsonObject) -> Self | None:
        """From a build event; None when it holds no text. Events come in two shapes, flat or with a payload."""
        payload = event.get("payload")
        inner = payload if isinstance(payload, dict) else event
        text = inner.get("text")
        if not isinstance(text, str):
            return None
        at = event.get("created", event.get("date", inner.get("date")))
        return cls.of({"at": at, "kind": event.get("type"), "text": text})


class BuildLogs(Result):
    """What the build said, oldest first."""

    lines: list[LogLine]
    is_complete: bool = Field(description="False when there may be more than was asked for.")


class RuntimeLine(Result):
    """One line of what a deployment says while it runs."""

    at: Moment | None = Field(default=None, validation_alias="timestampInMs")
    level: str
    text: Line = Field(validation_alias="message")
    source: str | None = None
    method: str | None = Field(default=None, validation_alias="requestMethod")
    path: Line | None = Field(default=None, validation_alias="requestPath")
    status: int | None = Field(default=None, validation_alias="responseStatusCode")


class RuntimeLogs(Result):
    """What a deployment said while it was listened to."""

    lines: list[RuntimeLine]
    is_complete: bool = Field(description="False when more was being said: Vercel keeps telling until nobody listens.")


class Logs(Result):
    """A deployment with its logs."""

    deployment: Deployment
    build: BuildLogs
    runtime: RuntimeLogs | None = Field(default=None, description="Left out when the deployment is not READY.")


class DeployedOrNot(Deployment):
    """What became of a deployment while it was waited for."""

    last_lines: list[LogLine] = Field(default=[], description="The end of the build log, when the state is ERROR.")


class UploadedFile(Result):
    """A file that waits at Vercel to be deployed."""

    path: str
    sha: str = Field(description="The SHA-1 of its content, in hex: give it to create_deployment with the size.")
    size: int = Field(description="In bytes.")


class Switched(Result):
    """What production was told to serve."""

    project_id: str
    deployment_id: str
    previous_deployment_id: str | None = Field(default=None, description="What it served before, where that is known.")
    is_done: bool = Field(description="False when Vercel has only accepted it; the change follows shortly.")


class Challenge(Result):
    """A DNS record that proves whose a domain is."""

    type: str
    domain: str
    value: str
    reason: Line | None = None


class ProjectDomain(Result):
    """A domain of a project."""

    name: str
    is_verified: bool = Field(validation_alias="verified")
    verification: list[Challenge] = Field(
        default=[], description="The DNS records still to be set before the domain works. Then verify_project_domain."
    )
    redirect: str | None = Field(default=None, description="The domain that it sends visitors to.")
    git_branch: str | None = Field(default=None, validation_alias="gitBranch")
    created_at: Moment | None = Field(default=None, validation_alias="createdAt")


class DomainConfig(Result):
    """Whether DNS leads to Vercel, and what it should say."""

    domain: str
    is_misconfigured: bool = Field(validation_alias="misconfigured")
    configured_by: str | None = Field(default=None, validation_alias="configuredBy")
    recommended_ipv4: list[str] = Field(default=[], description="For an A record at the domain itself. Best first.")
    recommended_cname: list[str] = Field(default=[], description="For a CNAME record of a subdomain. Best first.")


class EnvVar(Result):
    """An environment variable, never with its value."""

    id: str | None = None
    key: str
    type: str
    targets: list[str] = Field(default=[], validation_alias="target")
    git_branch: str | None = Field(default=None, validation_alias="gitBranch")
    comment: Line | None = None
    updated_at: Moment | None = Field(default=None, validation_alias="updatedAt")

    @field_validator("targets", mode="before")
    @classmethod
    def _as_list(cls, told: Json) -> Json:
        return [told] if isinstance(told, str) else told
