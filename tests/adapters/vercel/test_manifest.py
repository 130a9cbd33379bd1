"""Vercel's facts: who is connected, as whom it acts, what its refusals mean."""

import pytest

from adapters._kit.catalogue import manifest_of
from adapters.vercel.sandbox_state import LIN, OTHER_TOKEN, TEAM, TOKEN
from domain.catalogue import AuthScheme, Category, Effect, Integration
from domain.errors import AlreadyThere, Forbidden, NotThere, ReconnectNeeded, Rejected, SlowDown, Unavailable
from domain.json import Json, JsonObject
from tests.adapters.vercel.shop import DESCRIPTION, OFFLINE, Shop, open_shop
from tests.support.overheard import Connected


@pytest.fixture
def offline() -> Integration:
    return OFFLINE


def test_it_says_what_it_is(offline: Integration) -> None:
    assert (offline.name, offline.category) == ("Vercel", Category.HOSTING)
    assert offline.auth_schemes == (AuthScheme.OAUTH2, AuthScheme.API_KEY)
    assert len(offline.actions) == 26


def test_effects_follow_the_catalogue(offline: Integration) -> None:
    destructive = {
        each.slug.partition(".")[2] for each in offline.actions.values() if each.effect is Effect.DESTRUCTIVE
    }
    assert destructive == {
        "delete_env_var",
        "delete_project",
        "promote_deployment",
        "remove_project_domain",
        "rollback",
    }
    once = {each.slug.partition(".")[2] for each in offline.actions.values() if not each.is_idempotent}
    assert once == {"add_project_domain", "create_deployment", "create_project", "deploy", "rollback"}


def test_permissions_are_the_least_that_suffice(offline: Integration) -> None:
    def scopes(*names: str) -> tuple[str, ...]:
        return offline.scopes_for([offline.actions[f"vercel.{name}"] for name in names])

    always = ("read:user", "read:team")
    assert scopes() == always
    assert scopes("list_projects") == (*always, "read:project")
    assert scopes("list_projects", "create_project") == (*always, "read-write:project")
    assert scopes("deploy", "view_logs") == (*always, "read-write:deployment")
    assert offline.is_usable_scope(["read-write:domain"], "read:domain")
    assert not offline.is_usable_scope(["read:domain"], "read-write:domain")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"token": TOKEN}, []),
        ({"token": TOKEN, "team_id": TEAM}, []),
        ({"token": "short"}, ["/token"]),
        ({"token": TOKEN, "team_id": "harbour-works"}, ["/team_id"]),
        ({"token": TOKEN, "team_id": ""}, ["/team_id"]),
        ({"token": TOKEN, "team_id": "team_x/../../user"}, ["/team_id"]),
        ({"team_id": TEAM}, ["/token"]),
    ],
)
def test_the_team_may_be_left_out_but_not_mistyped(offline: Integration, fields: Json, wrong: list[str]) -> None:
    assert [each.pointer for each in offline.check_credentials(fields)] == wrong


def test_the_form_asks_for_a_secret_token_and_an_open_team(offline: Integration) -> None:
    form = offline.credential_schema
    assert form is not None
    assert form["required"] == ["token"]
    properties = form["properties"]
    assert isinstance(properties, dict)
    token, team = properties["token"], properties["team_id"]
    assert isinstance(token, dict)
    assert isinstance(team, dict)
    assert token["writeOnly"] is True
    assert "writeOnly" not in team


async def test_with_a_team_the_team_is_the_account(front: Connected) -> None:
    identity = await front.identify()
    assert (identity.account.id, identity.account.label) == (TEAM, "Harbour Works")
    assert identity.scopes is None
    assert await front.row("get_account") == {
        "id": TEAM,
        "kind": "team",
        "name": "Harbour Works",
        "handle": "harbour-works",
        "email": None,
    }


async def test_without_a_team_a_person_is_the_account() -> None:
    async with open_shop(team=None) as shop:
        identity = await shop.front.identify()
        assert (identity.account.id, identity.account.label) == (LIN, "lin-harbour")
        account = await shop.front.row("get_account")
        assert (account["kind"], account["email"]) == ("user", "lin@harbour.example")
        assert [each["name"] for each in await shop.front.rows("list_projects")] == ["lamp-notes"]


async def test_every_call_names_the_team(front: Connected) -> None:
    await front.rows("list_projects")
    await front.rows("list_env_vars", project="harbour-site")
    await front.run("set_env_var", project="harbour-site", key="A", value="b", targets=["preview"])
    await front.run("verify_project_domain", project="harbour-site", domain="harbour-works.example")
    for path in ("/v10/projects", "/env", "/verify"):
        assert {query["teamId"][0] for query in front.queries(path)} == {TEAM}


async def test_a_preview_names_the_team_too(front: Connected) -> None:
    integration = front.integration
    action = integration.actions["vercel.set_env_var"]
    parameters: JsonObject = {"project": "harbour-site", "key": "A", "value": "b", "targets": ["preview"]}
    shown = await integration.preview(action, parameters, front.account, is_sandbox=True)
    assert shown is not None
    assert str(shown["url"]).endswith(f"/v10/projects/harbour-site/env?upsert=true&teamId={TEAM}")


async def test_a_team_that_is_not_theirs_is_forbidden() -> None:
    async with open_shop(token=OTHER_TOKEN) as shop:
        with pytest.raises(Forbidden):
            await shop.front.identify()


async def test_a_token_that_ended_must_be_replaced_and_another_refusal_need_not(front: Connected) -> None:
    front.misbehave("401")
    with pytest.raises(ReconnectNeeded, match=r"403 \(forbidden\)"):
        await front.run("list_projects")
    front.misbehave("403_secondary")
    with pytest.raises(Forbidden):
        await front.run("list_projects")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("404", NotThere), ("422", Rejected), ("429", SlowDown), ("500", Unavailable), ("503", Unavailable)],
)
async def test_refusals_are_told_apart(front: Connected, kind: str, problem: type[Exception]) -> None:
    front.misbehave(kind)
    with pytest.raises(problem):
        await front.run("list_projects")


async def test_the_limit_says_when_to_come_back() -> None:
    async with open_shop(rate_limit=2) as shop:
        await shop.front.run("list_projects")
        await shop.front.run("list_projects")
        with pytest.raises(SlowDown, match="rate_limited") as slow:
            await shop.front.run("list_projects")
        assert slow.value.retry_at is not None


async def test_a_taken_name_is_a_conflict(front: Connected) -> None:
    with pytest.raises(AlreadyThere):
        await front.run("create_project", name="harbour-site")


async def test_the_sandbox_comes_with_a_token_to_try(shop: Shop) -> None:
    box = manifest_of("vercel").sandbox
    assert box is not None
    assert shop.front.integration.check_credentials(box.try_fields) == ()
    application = shop.front.integration.oauth
    assert application is not None
    assert application.authorize_url.endswith("/integrations/mandate/new")


def test_the_description_holds_every_route_once() -> None:
    assert "POST /v1/projects/{projectId}/rollback/{deploymentId}" in DESCRIPTION.routes()
    assert len(DESCRIPTION.routes()) == 26
