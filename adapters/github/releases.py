"""Releases: versions that a repository offers to the world."""

from datetime import datetime
from typing import TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Result, action, given
from adapters.github.parameters import Body, BranchName, Limit, Owner, RepoName

Tag: TypeAlias = Annotated[BranchName, Field(description="Name of the tag, such as `v1.2.0`; made when it is new.")]

_RELEASES = "repos/{owner}/{repo}/releases"


class Release(Result):
    """A release."""

    id: int
    tag: str = Field(validation_alias="tag_name")
    name: str | None = None
    body: str | None = None
    is_draft: bool = Field(default=False, validation_alias="draft")
    is_prerelease: bool = Field(default=False, validation_alias="prerelease")
    author: str | None = Field(default=None, validation_alias=AliasPath("author", "login"))
    created_at: datetime
    published_at: datetime | None = None
    url: str = Field(validation_alias="html_url")


@action(effect=Effect.READ, scopes=("repo",))
async def list_releases(call: Call, *, owner: Owner, repo: RepoName, limit: Limit = 30) -> list[Release]:
    """List the releases of a repository.

    Newest first; drafts only for those who may push.
    """
    found = await call.pages(_RELEASES, limit=limit, owner=owner, repo=repo)
    return [Release.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a release with this tag")
async def create_release(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    tag: Tag,
    target: Annotated[
        BranchName | None,
        Field(description="The branch or commit that a new tag is put on; the default branch when left out."),
    ] = None,
    name: Annotated[str | None, Field(description="Title.", min_length=1, max_length=256)] = None,
    body: Annotated[Body | None, Field(description="Release notes, Markdown.")] = None,
    is_draft: Annotated[bool, Field(description="True keeps it to those who may push.")] = False,
    is_prerelease: Annotated[bool, Field(description="Whether it is not yet ready for everybody.")] = False,
) -> Release:
    """Publish a release.

    Unless it is a draft, everybody who can see the repository sees it and watchers are notified. Rejected when
    the tag has a release already.
    """
    new = given(tag_name=tag, target_commitish=target, name=name, body=body, draft=is_draft, prerelease=is_prerelease)
    return Release.of((await call.post(_RELEASES, json=new, owner=owner, repo=repo)).json)
