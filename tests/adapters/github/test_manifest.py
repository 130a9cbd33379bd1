"""GitHub's facts: who is connected, which scopes, how it ends."""

import pytest

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import CannedTransport, Incoming
from adapters._kit.integration import FolderIntegration
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_READ_ONLY
from domain.catalogue import AuthScheme, Category, Effect, Integration
from domain.errors import ReconnectNeeded
from domain.json import JsonObject
from tests.adapters.github.conftest import DESCRIPTION
from tests.adapters.kit.sample import setting
from tests.support.trials import Trial, trial

#: Actions with no result begin like this.
GIVE_NOTHING = ("cancel_", "delete_", "rerun_")
CURATED = {
    *("get_account", "list_repos", "get_repo", "create_repo", "create_org_repo", "update_repo", "delete_repo"),
    *("get_file", "put_file", "delete_file", "get_ref", "get_commit", "create_blob", "create_tree", "create_commit"),
    *("update_ref", "create_branch", "list_branches", "create_pull_request", "list_pull_requests"),
    *("get_pull_request", "merge_pull_request", "list_issues", "get_issue", "create_issue", "update_issue"),
    *("comment_issue", "search_issues", "get_actions_public_key", "set_actions_secret", "set_actions_variable"),
    *("dispatch_workflow", "list_workflow_runs", "get_workflow_run", "create_release", "push_files", "configure_ci"),
}


@pytest.fixture
def offline() -> Integration:
    nobody = CannedTransport(lambda _: Incoming(200, {}, b'{"id": 1, "login": "lin"}'))
    return load(nobody, {}, {}).integrations["github"]


def test_it_says_what_it_is(offline: Integration) -> None:
    assert (offline.name, offline.category) == ("GitHub", Category.DEVELOPMENT)
    assert offline.auth_schemes == (AuthScheme.OAUTH2, AuthScheme.API_KEY)
    assert offline.oauth is None


def test_every_action_and_parameter_is_described(offline: Integration) -> None:
    assert len(offline.actions) == 49
    for action in offline.actions.values():
        assert len(action.description.splitlines()) > 2, action.slug
        properties = action.parameters_schema.get("properties", {})
        assert isinstance(properties, dict)
        assert all(each.get("description") for each in properties.values()), action.slug
        assert action.result_schema is not None or action.slug.partition(".")[2].startswith(GIVE_NOTHING), action.slug


def test_what_destroys_and_what_may_be_repeated_is_said(offline: Integration) -> None:
    actions = {each.slug.partition(".")[2]: each for each in offline.actions.values()}
    assert {name for name, each in actions.items() if each.effect is Effect.DESTRUCTIVE} == {
        *("delete_actions_secret", "delete_branch", "delete_file", "delete_repo"),
        *("merge_pull_request", "set_repo_visibility"),
    }
    writes = {name for name, each in actions.items() if each.effect is Effect.WRITE}
    assert {name for name in writes if not actions[name].is_idempotent} == {
        *("comment_issue", "create_branch", "create_commit", "create_issue", "create_org_repo", "create_pull_request"),
        *("create_release", "create_repo", "dispatch_workflow", "push_files", "put_file", "rerun_workflow"),
    }


def test_every_curated_action_is_there(offline: Integration) -> None:
    assert {name.partition(".")[2] for name in offline.actions} >= CURATED


def test_the_value_of_a_secret_is_marked_as_one(offline: Integration) -> None:
    properties = offline.actions["github.set_actions_secret"].parameters_schema["properties"]
    assert isinstance(properties, dict)
    value = properties["value"]
    assert isinstance(value, dict)
    assert value["writeOnly"] is True
    nested = str(offline.actions["github.configure_ci"].parameters_schema["$defs"])
    assert "'writeOnly': True" in nested


def test_repositories_need_repo_and_the_account_needs_nothing(offline: Integration) -> None:
    assert offline.scopes_for([offline.actions["github.get_account"]]) == ()
    assert set(offline.scopes_for(list(offline.actions.values()))) == {"delete_repo", "repo", "workflow"}
    assert offline.scopes_for([offline.actions["github.delete_repo"]]) == ("delete_repo",)
    assert set(offline.scopes_for([offline.actions["github.configure_ci"]])) == {"repo", "workflow"}
    assert offline.is_usable_scope(["repo"], "public_repo")
    assert not offline.is_usable_scope(["public_repo"], "repo")


@pytest.mark.parametrize(
    ("owner", "repo"),
    [("..", "a"), ("a", ".."), ("a/b", "c"), ("a", "b/../../user"), ("a", "b?c"), ("a\n", "b"), ("", "b")],
)
def test_names_that_are_no_names_are_refused(offline: Integration, owner: str, repo: str) -> None:
    assert len(offline.actions["github.get_repo"].check({"owner": owner, "repo": repo})) == 1


@pytest.mark.parametrize(
    ("name", "parameters", "wrong"),
    [
        ("set_actions_secret", {"name": "KEY"}, "/value"),
        ("set_actions_secret", {"name": "KEY", "value": ""}, "/value"),
        ("set_actions_secret", {"name": "KEY", "value": "x" * 32_001}, "/value"),
        ("set_actions_secret", {"name": "A/../B", "value": "x"}, "/name"),
        ("set_actions_variable", {"name": "KEY", "value": 7}, "/value"),
        ("configure_ci", {"file_name": "../ci.yml", "workflow": "on: push"}, "/file_name"),
        ("configure_ci", {"file_name": "ci.txt", "workflow": "on: push"}, "/file_name"),
        ("configure_ci", {"file_name": "ci.yml", "workflow": ""}, "/workflow"),
        ("configure_ci", {"file_name": "ci.yml", "workflow": "x", "secrets": [{"name": "A"}]}, "/secrets/0/value"),
        ("dispatch_workflow", {"workflow": "../x.yml", "branch": "main"}, "/workflow"),
        ("dispatch_workflow", {"workflow": "x.yml", "branch": "a b"}, "/branch"),
        ("dispatch_workflow", {"workflow": "x.yml", "branch": "main", "inputs": {"a": "b"}}, "/inputs"),
        ("get_workflow_run", {"run_id": 0}, "/run_id"),
        ("get_workflow_run", {"run_id": "7"}, "/run_id"),
        ("get_workflow_logs", {"run_id": 7, "lines": 2001}, "/lines"),
        ("create_release", {"tag": "v 1"}, "/tag"),
        ("create_tree", {"entries": []}, "/entries"),
        ("create_tree", {"entries": [{"path": "a/../b", "content": ""}]}, "/entries/0/path"),
        ("create_commit", {"message": "m", "tree": "main", "parents": []}, "/tree"),
        ("update_ref", {"branch": "main", "sha": "abc"}, "/sha"),
        ("delete_file", {"path": "a", "message": "m"}, "/expected_sha"),
        ("delete_branch", {"branch": "a..b c"}, "/branch"),
        ("set_repo_visibility", {"is_private": "yes"}, "/is_private"),
    ],
)
def test_what_github_would_not_understand_is_refused_before_the_call(
    offline: Integration, name: str, parameters: JsonObject, wrong: str
) -> None:
    told = {"owner": "lin", "repo": "lighthouse", **parameters}
    assert [each.pointer for each in offline.actions[f"github.{name}"].check(told)] == [wrong]


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
    assert len(DESCRIPTION.routes()) == 51
