"""Projects, their environment variables and their domains."""

import json

import pytest

from adapters._kit.http import CannedTransport, Incoming
from domain.errors import AlreadyThere, AnswerGarbled, Forbidden, NotThere, Rejected
from tests.adapters.vercel.shop import OFFLINE, Shop, mistakes, open_shop
from tests.support.overheard import Connected

SITE = "harbour-site"
SECRET = "postgres://lin:not-for-anybody@db.example"


# -------------------------------------------------------------------------------------------------- projects


async def test_a_project_is_created_changed_found_and_deleted(front: Connected) -> None:
    made = await front.row(
        "create_project",
        name="pier",
        framework="vite",
        git_repository={"type": "github", "repo": "harbour-works/pier"},
        build_command="npm run build",
    )
    assert (made["name"], made["framework"], made["node_version"]) == ("pier", "vite", "22.x")
    assert made["repository"] == {
        "type": "github",
        "owner": "harbour-works",
        "name": "pier",
        "id": "1",
        "production_branch": "main",
    }

    changed = await front.row("update_project", project="pier", name="quay", node_version="20.x")
    assert (changed["id"], changed["name"], changed["build_command"]) == (made["id"], "quay", "npm run build")
    assert await front.row("get_project", project=made["id"]) == changed
    assert [each["name"] for each in await front.rows("list_projects", search="qu")] == ["quay"]

    assert await front.run("delete_project", project="quay") is None
    with pytest.raises(NotThere):
        await front.run("get_project", project="quay")


async def test_nothing_to_change_is_not_sent(front: Connected) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await front.run("update_project", project=SITE)
    with pytest.raises(Rejected, match="Nothing was sent"):
        await front.run("update_env_var", project=SITE, id="env1")
    assert front.asked() == []


async def test_what_production_serves_is_shown(front: Connected) -> None:
    site = await front.row("get_project", project=SITE)
    newest = (await front.rows("list_deployments", project=SITE))[0]
    assert site["production_deployment_id"] == newest["id"]


async def test_a_long_list_is_walked_page_by_page(front: Connected) -> None:
    for number in range(120):
        await front.run("create_project", name=f"berth-{number}")
    found = await front.rows("list_projects", search="berth", limit=110)
    assert len({each["id"] for each in found}) == 110
    assert front.asked("/v10/projects") == ["GET", "GET"]
    first, second = front.queries("/v10/projects")
    assert ("from" in first, "from" in second, second["limit"]) == (False, True, ["100"])


@pytest.mark.parametrize("name", ["", "Pier", "a b", "-a", "../user", "a/b", "a" * 101, "pier\n"])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    assert mistakes("create_project", name=name) == ["/name"]


@pytest.mark.parametrize("project", ["", "..", "a/b", "a?b=c", "a b", "a\n", "p" * 101])
def test_projects_that_cannot_be_are_refused(project: str) -> None:
    assert mistakes("get_project", project=project) == ["/project"]


def test_every_mistake_is_told_at_once() -> None:
    wrong = mistakes(
        "create_project",
        framework="Next JS",
        git_repository={"type": "svn", "repo": "alone"},
        root_directory="/etc",
        build_command="x" * 257,
        colour="blue",
    )
    assert sorted(wrong) == [
        "/build_command",
        "/colour",
        "/framework",
        "/git_repository/repo",
        "/git_repository/type",
        "/name",
        "/root_directory",
    ]


async def test_a_token_that_may_only_read_changes_nothing() -> None:
    async with open_shop(token="vcp_sandbox_lin_reading_only") as shop:
        assert await shop.front.rows("list_projects")
        for action, parameters in (
            ("create_project", {"name": "pier"}),
            ("delete_project", {"project": SITE}),
            ("set_env_var", {"project": SITE, "key": "A", "value": "b", "targets": ["preview"]}),
            ("add_project_domain", {"project": SITE, "domain": "pier.example"}),
        ):
            with pytest.raises(Forbidden):
                await shop.front.run(action, **parameters)
        assert shop.front.app.control.effects == {}


# ----------------------------------------------------------------------------------- environment variables


async def test_a_variable_is_set_replaced_changed_and_deleted(front: Connected) -> None:
    told = {"project": SITE, "key": "DATABASE_URL", "targets": ["production", "preview"]}
    made = await front.row("set_env_var", **told, value=SECRET, comment="the main one")
    assert (made["key"], made["type"], made["targets"]) == ("DATABASE_URL", "encrypted", ["production", "preview"])
    again = await front.row("set_env_var", **told, value="another", type="sensitive")
    assert (again["id"], again["type"]) == (made["id"], "sensitive")

    changed = await front.row("update_env_var", project=SITE, id=made["id"], targets=["preview"], value="a third")
    assert (changed["key"], changed["targets"]) == ("DATABASE_URL", ["preview"])
    assert [each["key"] for each in await front.rows("list_env_vars", project=SITE)] == ["API_KEY", "DATABASE_URL"]

    assert await front.run("delete_env_var", project=SITE, id=made["id"]) is None
    with pytest.raises(NotThere):
        await front.run("delete_env_var", project=SITE, id=made["id"])


async def test_a_value_goes_in_and_never_comes_out(front: Connected) -> None:
    made = await front.row("set_env_var", project=SITE, key="KEY", value=SECRET, targets=["production"])
    listed = await front.rows("list_env_vars", project=SITE)
    changed = await front.row("update_env_var", project=SITE, id=made["id"], value=SECRET + "2")
    assert "not-for-anybody" not in json.dumps([made, listed, changed])
    assert front.queries("/env")[1]["decrypt"] == ["false"]
    assert [body["value"] for body in front.bodies("/env")] == [SECRET]


def test_values_are_marked_as_secret_in_the_schemas() -> None:
    marked = set()
    for slug, action in OFFLINE.actions.items():
        properties = action.parameters_schema.get("properties", {})
        assert isinstance(properties, dict)
        marked |= {
            f"{slug}.{name}"
            for name, schema in properties.items()
            if isinstance(schema, dict) and schema.get("writeOnly") is True
        }
    assert marked == {"vercel.set_env_var.value", "vercel.update_env_var.value"}


async def test_a_variable_may_be_for_one_branch(front: Connected) -> None:
    told = {"project": SITE, "key": "FLAG", "value": "1", "targets": ["preview"]}
    await front.run("set_env_var", **told, git_branch="fog", type="plain")
    found = await front.rows("list_env_vars", project=SITE, git_branch="fog")
    assert [(each["key"], each["git_branch"]) for each in found] == [("FLAG", "fog")]


async def test_a_single_variable_may_stand_alone(front: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"key": "LAMP", "type": "plain", "value": "lit", "target": "preview"}
    monkeypatch.setattr(
        front.integration, "_transport", CannedTransport(lambda _: Incoming(200, {}, json.dumps(body).encode()))
    )
    (found,) = await front.rows("list_env_vars", project=SITE)
    assert (found["key"], found["targets"], "value" in found) == ("LAMP", ["preview"], False)


async def test_what_vercel_does_not_allow_is_rejected(front: Connected) -> None:
    with pytest.raises(Rejected):
        await front.run("set_env_var", project=SITE, key="A", value="b", targets=["development"], type="sensitive")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"key": "1A"}, "/key"),
        ({"key": "A-B"}, "/key"),
        ({"key": "A\n"}, "/key"),
        ({"value": "x" * 65_537}, "/value"),
        ({"value": 7}, "/value"),
        ({"targets": []}, "/targets"),
        ({"targets": ["staging"]}, "/targets/0"),
        ({"type": "system"}, "/type"),
        ({"comment": "x" * 501}, "/comment"),
    ],
)
def test_variables_that_cannot_be_are_refused(changes: dict[str, object], wrong: str) -> None:
    told = {"project": SITE, "key": "A", "value": "b", "targets": ["preview"], **changes}
    assert mistakes("set_env_var", **told) == [wrong]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"created": None, "failed": [{"error": {"code": "ENV_CONFLICT", "message": SECRET}}]}, AlreadyThere),
        ({"failed": []}, AnswerGarbled),
        ({"created": [], "failed": []}, AnswerGarbled),
    ],
)
async def test_a_variable_that_was_not_set_is_no_success(
    front: Connected, body: object, problem: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    canned = CannedTransport(lambda _: Incoming(201, {}, json.dumps(body).encode()))
    monkeypatch.setattr(front.integration, "_transport", canned)
    with pytest.raises(problem) as raised:
        await front.run("set_env_var", project=SITE, key="A", value="b", targets=["preview"])
    assert SECRET not in str(raised.value)


# --------------------------------------------------------------------------------------------------- domains


async def test_a_domain_is_added_proved_and_removed(front: Connected) -> None:
    made = await front.row("add_project_domain", project=SITE, domain="pier.example")
    assert made["is_verified"] is False
    (challenge,) = made["verification"] if isinstance(made["verification"], list) else []
    assert isinstance(challenge, dict)
    assert (challenge["type"], challenge["domain"]) == ("TXT", "_vercel.pier.example")
    assert (await front.row("get_domain_config", domain="pier.example"))["is_misconfigured"] is True

    proved = await front.row("verify_project_domain", project=SITE, domain="pier.example")
    assert (proved["is_verified"], proved["verification"]) == (True, [])
    assert await front.run("remove_project_domain", project=SITE, domain="pier.example") is None
    assert [each["name"] for each in await front.rows("list_project_domains", project=SITE)] == [
        "harbour-works.example"
    ]


async def test_dns_that_cannot_be_seen_yet_is_rejected(front: Connected) -> None:
    await front.run("add_project_domain", project=SITE, domain="unset-pier.example")
    with pytest.raises(Rejected, match="missing_txt_record"):
        await front.run("verify_project_domain", project=SITE, domain="unset-pier.example")


async def test_recommendations_come_best_first(front: Connected) -> None:
    found = await front.row("get_domain_config", domain="harbour-works.example", project=SITE)
    assert found == {
        "domain": "harbour-works.example",
        "is_misconfigured": False,
        "configured_by": "A",
        "recommended_ipv4": ["203.0.113.20", "203.0.113.21"],
        "recommended_cname": ["cname.vercel-sandbox.example."],
    }
    assert front.queries("/config")[0]["projectIdOrName"] == [SITE]


async def test_a_domain_may_redirect_or_serve_a_branch_but_not_both(front: Connected) -> None:
    www = await front.row(
        "add_project_domain",
        project=SITE,
        domain="www.harbour-works.example",
        redirect="harbour-works.example",
        redirect_status=308,
    )
    assert www["redirect"] == "harbour-works.example"
    beta = await front.row("add_project_domain", project=SITE, domain="beta.harbour-works.example", git_branch="beta")
    assert beta["git_branch"] == "beta"
    for more in ({"redirect": "harbour-works.example", "git_branch": "beta"}, {"redirect_status": 301}):
        with pytest.raises(Rejected, match="Nothing was sent"):
            await front.run("add_project_domain", project=SITE, domain="c.example", **more)
    with pytest.raises(AlreadyThere):
        await front.run("remove_project_domain", project=SITE, domain="harbour-works.example")
    await front.run("remove_project_domain", project=SITE, domain="harbour-works.example", remove_redirects=True)
    assert [each["name"] for each in await front.rows("list_project_domains", project=SITE)] == [beta["name"]]


async def test_a_domain_of_another_project_is_a_conflict(front: Connected, shop: Shop) -> None:
    await front.run("create_project", name="pier")
    with pytest.raises(AlreadyThere, match="domain_already_in_use"):
        await front.run("add_project_domain", project="pier", domain="harbour-works.example")


@pytest.mark.parametrize("domain", ["", "localhost", "a..b", "-a.com", "a b.com", "a.com/b", "a_b.com", "a.com\n"])
def test_domains_that_cannot_be_are_refused(domain: str) -> None:
    assert mistakes("get_domain_config", domain=domain) == ["/domain"]
