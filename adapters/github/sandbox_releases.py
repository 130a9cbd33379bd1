"""Releases in the GitHub sandbox. Tags are kept with their releases only."""

from pydantic import JsonValue
from starlette.routing import Route

from adapters.github.sandbox_api import Answer, Ask, api_route, invalid
from adapters.github.sandbox_repos import commit_at
from adapters.github.sandbox_shapes import Shape, node_id, site_of, somebody
from adapters.github.sandbox_state import Hub, Release, Repository


def release_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    releases = "/repos/{owner}/{repo}/releases"
    return [
        api_route(hub, "GET", releases, list_releases, "repo"),
        api_route(hub, "POST", releases, create_release, "public_repo, repo"),
    ]


def list_releases(ask: Ask) -> Answer:
    """GET releases: newest first, drafts for those who may push."""
    repository = ask.repository()
    shown = [one for one in reversed(repository.releases) if not one.draft or ask.owns(repository)]
    shapes: list[JsonValue] = [release_shape(ask, repository, one) for one in shown]
    return ask.paged(shapes)


def create_release(ask: Ask) -> Answer:
    """POST releases: 422 when the tag has one, or the target does not exist."""
    repository = ask.writable()
    tag, target = ask.needed("tag_name"), ask.text("target_commitish") or repository.default_branch
    draft, now = ask.flag("draft", default=False), ask.hub.stamp()
    if not tag.strip():
        raise invalid("Release", "tag_name", "missing_field")
    if any(one.tag == tag and not one.draft for one in repository.releases):
        raise invalid("Release", "tag_name", "already_exists")
    if commit_at(repository, target) is None:
        raise invalid("Release", "target_commitish", "invalid")
    release = Release(
        id=ask.hub.world.new_id(),
        tag=tag,
        target=target,
        name=ask.text("name"),
        body=ask.text("body"),
        draft=draft,
        prerelease=ask.flag("prerelease", default=False),
        author=ask.caller.person.login,
        created_at=now,
        published_at=None if draft else now,
    )
    repository.releases.append(release)
    return Answer(release_shape(ask, repository, release), 201)


def release_shape(ask: Ask, repository: Repository, release: Release) -> Shape:
    """`release`."""
    here, page = f"{ask.root}/repos/{repository.full_name}", f"{site_of(ask.root)}/{repository.full_name}"
    one = f"{here}/releases/{release.id}"
    return {
        "id": release.id,
        "node_id": node_id("Release", release.id),
        "url": one,
        "html_url": f"{page}/releases/tag/{release.tag}",
        "assets_url": f"{one}/assets",
        "upload_url": f"{one}/assets{{?name,label}}",
        "tarball_url": f"{here}/tarball/{release.tag}",
        "zipball_url": f"{here}/zipball/{release.tag}",
        "tag_name": release.tag,
        "target_commitish": release.target,
        "name": release.name,
        "body": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "created_at": release.created_at,
        "published_at": release.published_at,
        "author": somebody(ask.hub.world, release.author, ask.root),
        "assets": [],
    }
