"""GitHub's facts: who is connected, which scopes, how it ends."""

import pytest

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import CannedTransport, Incoming
from adapters._kit.integration import FolderIntegration
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_READ_ONLY
from domain.catalogue import AuthScheme, Category, Effect, Integration
from domain.errors import ReconnectNeeded
from tests.adapters.github.conftest import DESCRIPTION
from tests.adapters.kit.sample import setting
from tests.support.trials import Trial, trial


@pytest.fixture
def offline() -> Integration:
    nobody = CannedTransport(lambda _: Incoming(200, {}, b'{"id": 1, "login": "lin"}'))
    return load(nobody, {}, {}).integrations["github"]


def test_it_says_what_it_is(offline: Integration) -> None:
    assert (offline.name, offline.category) == ("GitHub", Category.DEVELOPMENT)
    assert offline.auth_schemes == (AuthScheme.OAUTH2, AuthScheme.API_KEY)
    assert offline.oauth is None


def test_every_action_and_parameter_is_described(offline: Integration) -> None:
    assert len(offline.actions) >= 19
    for action in offline.actions.values():
        assert len(action.description.splitlines()) > 2, action.slug
        properties = action.parameters_schema.get("properties", {})
        assert isinstance(properties, dict)
        assert all(each.get("description") for each in properties.values()), action.slug
        assert action.result_schema is not None


def test_only_merging_is_destructive_and_only_updating_may_be_repeated(offline: Integration) -> None:
    actions = offline.actions.values()
    assert [each.slug for each in actions if each.effect is Effect.DESTRUCTIVE] == ["github.merge_pull_request"]
    repeatable = [each.slug for each in actions if each.effect is not Effect.READ and each.is_idempotent]
    assert repeatable == ["github.update_issue"]


def test_repositories_need_repo_and_the_account_needs_nothing(offline: Integration) -> None:
    assert offline.scopes_for([offline.actions["github.get_account"]]) == ()
    assert offline.scopes_for(list(offline.actions.values())) == ("repo",)
    assert offline.is_usable_scope(["repo"], "public_repo")
    assert not offline.is_usable_scope(["public_repo"], "repo")


@pytest.mark.parametrize(
    ("owner", "repo"),
    [("..", "a"), ("a", ".."), ("a/b", "c"), ("a", "b/../../user"), ("a", "b?c"), ("a\n", "b"), ("", "b")],
)
def test_names_that_are_no_names_are_refused(offline: Integration, owner: str, repo: str) -> None:
    assert len(offline.actions["github.get_repo"].check({"owner": owner, "repo": repo})) == 1


@pytest.mark.parametrize("path", ["/etc", "a//b", "a/../b", "..", "./a", "a/", "", "a\x00b", "a\n"])
def test_paths_that_climb_or_are_broken_are_refused(offline: Integration, path: str) -> None:
    action = offline.actions["github.get_file"]
    assert [each.pointer for each in action.check({"owner": "a", "repo": "b", "path": path})] == ["/path"]


@pytest.mark.parametrize("path", [".github/a.yml", "a/.b/..c/d.e", "fög horn/a+b (1).txt", "a"])
def test_paths_that_people_use_pass(offline: Integration, path: str) -> None:
    assert offline.actions["github.get_file"].check({"owner": "a", "repo": ".github", "path": path}) == ()


def test_both_kinds_of_personal_token_are_accepted(offline: Integration) -> None:
    for token in ("ghp_" + "a" * 36, "github_pat_" + "A1_" * 27):
        assert offline.check_credentials({"token": token}) == ()
    for wrong in ("gho_" + "a" * 36, "ghp_short", "my password"):
        assert [each.pointer for each in offline.check_credentials({"token": wrong})] == ["/token"]


async def test_the_connection_test_names_account_and_scopes(github: Trial) -> None:
    identity = await github.integration.identify(github.setting())
    assert (identity.account.id, identity.account.label) == ("501", "lin-harbour")
    assert identity.scopes == ("repo",)
    async with trial("github", sandbox(), {"token": TOKEN_READ_ONLY}) as weak:
        assert (await weak.integration.identify(weak.setting())).scopes == ("read:user",)


async def test_a_fine_grained_token_leaves_scopes_unknown(offline: Integration) -> None:
    assert (await offline.identify(setting())).scopes is None


async def test_a_token_that_ended_is_noticed(github: Trial) -> None:
    await github.misbehave("401")
    with pytest.raises(ReconnectNeeded):
        await github.integration.identify(github.setting())


def test_the_sandbox_comes_with_a_token_to_try(github: Trial) -> None:
    box = manifest_of("github").sandbox
    assert box is not None
    assert github.integration.check_credentials(box.try_fields) == ()
    application = github.integration.oauth
    assert isinstance(github.integration, FolderIntegration)
    assert application is not None
    assert application.authorize_url == f"{github.base_url}/login/oauth/authorize"


def test_the_description_holds_every_route_once() -> None:
    assert "PUT /repos/{owner}/{repo}/contents/{path}" in DESCRIPTION.routes()
    assert len(DESCRIPTION.routes()) == 26
