"""Vercel's actions against software that we did not write.

Against emulate's Vercel, which keeps state: consent, token, real HTTP, things that are there afterwards. It differs
from Vercel: any token passes, deployments are READY at once, what it answers to a variable that was set and to the
question for a team is shaped otherwise, and it has no promotion, rollback, runtime log or configuration of a domain.

Against Prism, made from Vercel's own description: everything that is sent is understood.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override
from domain.catalogue import AuthScheme, CallSetting, Credential, Integration
from domain.errors import AlreadyThere, AnswerGarbled, NotThere, Rejected
from domain.json import Json, JsonObject
from domain.secrets import Secret
from tests.support.consent import consent
from tests.support.emulate import Emulated, OAuthApp, emulated
from tests.support.prism import prism

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "vercel" / "description.json"
APP = OAuthApp("oac_mandate_tests", "vercel-client-secret-for-tests")
CALLBACK = "http://127.0.0.1:9/vercel"
GIT: JsonObject = {"type": "github", "repo": "harbour-works/site", "ref": "main"}


@dataclass(frozen=True)
class Front:
    """The integration in front of somebody's Vercel."""

    integration: Integration
    setting: Callable[[], CallSetting]

    async def run(self, name: str, /, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"vercel.{name}"]
        assert action.check(parameters) == ()
        return await self.integration.run(action, parameters, self.setting())

    async def row(self, name: str, /, **parameters: Json) -> dict[str, Json]:
        """The one thing an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, dict)
        return found

    async def rows(self, name: str, /, **parameters: Json) -> list[dict[str, Json]]:
        """The things an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, list)
        return found


def settings(token: str, facts: Mapping[str, str]) -> Callable[[], CallSetting]:
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(token)}, facts)

    def fresh() -> CallSetting:
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)

    return fresh


@pytest.fixture(scope="module")
async def way_out() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(Egress.allowing(networks=["127.0.0.0/8"], http=True), version="0") as transport:
        yield transport


def integration(way_out: HttpTransport, address: str) -> Integration:
    return load(way_out, {"vercel": Override(base_url=address)}, {}).integrations["vercel"]


# ------------------------------------------------------------------------------------------------- emulate


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    app = {"client_id": APP.client_id, "client_secret": APP.client_secret, "name": "Mandate", "redirect_uris": []}
    people = [{"username": "lin", "name": "Lin Harbour", "email": "lin@example.com"}]
    seed = {"tokens": {}, "vercel": {"users": people, "integrations": [app]}}
    with emulated(seed, tmp_path_factory.mktemp("emulate") / "stderr.txt") as running:
        running.allow_redirect(CALLBACK)
        yield running


@pytest.fixture(scope="module")
async def lin(services: Emulated, way_out: HttpTransport) -> Front:
    """Connected as Lin, through emulate's consent page."""
    address = services.urls["vercel"]
    query = {"client_id": APP.client_id, "redirect_uri": CALLBACK, "state": "st-1", "response_type": "code"}
    location = await consent(f"{address}/oauth/authorize?{urlencode(query)}", "lin")
    form = {
        "client_id": APP.client_id,
        "client_secret": APP.client_secret,
        "code": parse_qs(urlsplit(location).query)["code"][0],
        "redirect_uri": CALLBACK,
        "grant_type": "authorization_code",
    }
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{address}/login/oauth/token", data=form)
    return Front(integration(way_out, address), settings(answer.json()["access_token"], {}))


@pytest.fixture
async def project(lin: Front) -> str:
    """The name of a new project."""
    name = f"pier-{uuid4().hex[:12]}"
    await lin.run("create_project", name=name, framework="vite")
    return name


async def test_the_connection_is_the_person_s_who_consented(lin: Front) -> None:
    identity = await lin.integration.identify(lin.setting())
    assert identity.account.label == "lin"
    account = await lin.row("get_account")
    assert (account["id"], account["handle"], account["email"]) == (identity.account.id, "lin", "lin@example.com")


async def test_a_project_lives_and_ends(lin: Front, project: str) -> None:
    with pytest.raises(AlreadyThere):
        await lin.run("create_project", name=project)
    changed = await lin.row("update_project", project=project, build_command="npm run build", node_version="20.x")
    assert (changed["build_command"], changed["node_version"]) == ("npm run build", "20.x")
    assert await lin.row("get_project", project=changed["id"]) == changed
    assert project in {each["name"] for each in await lin.rows("list_projects", search=project)}
    assert await lin.run("delete_project", project=project) is None
    with pytest.raises(NotThere):
        await lin.run("get_project", project=project)


async def test_files_are_deployed(lin: Front, project: str) -> None:
    files: list[Json] = [{"path": "index.html", "content": {"text": "<h1>Pier</h1>"}}]
    done = await lin.row("deploy", project=project, files=files, target="production")
    assert (done["state"], done["target"]) == ("READY", "production")
    kept = await lin.row("upload_file", path="a.txt", content={"text": "a"})
    made = await lin.row("create_deployment", project=project, files=[kept])
    listed = await lin.rows("list_deployments", project=done["project_id"])
    assert {each["id"] for each in listed} == {done["id"], made["id"]}
    host = str(made["url"]).removeprefix("https://")
    assert (await lin.row("get_deployment", deployment=made["id"]))["id"] == made["id"]
    assert host.startswith(project)


async def test_a_branch_is_deployed_and_its_log_read(lin: Front, project: str) -> None:
    done = await lin.row("deploy", project=project, git=GIT)
    log = await lin.row("get_build_logs", deployment=done["id"])
    lines = log["lines"]
    assert isinstance(lines, list)
    assert [line["text"] for line in lines if isinstance(line, dict)] == [
        "Deployment created",
        "Building",
        "Deployment ready",
    ]
    with pytest.raises(Rejected):  # it was READY at once
        await lin.run("cancel_deployment", deployment=done["id"])


async def test_deployments_are_walked_page_by_page(lin: Front, project: str) -> None:
    made = {str((await lin.row("create_deployment", project=project, git=GIT))["id"]) for _ in range(3)}
    found = await lin.rows("list_deployments", limit=1000)
    assert made <= {str(each["id"]) for each in found}


async def test_variables_are_set_and_their_values_stay_there(lin: Front, project: str) -> None:
    told: dict[str, Json] = {"project": project, "key": "LAMP", "targets": ["preview"]}
    for value in ("first", "second"):
        with pytest.raises(AnswerGarbled):  # emulate says `envs` where Vercel says `created`
            await lin.run("set_env_var", **told, value=value)
    (listed,) = await lin.rows("list_env_vars", project=project)
    assert (listed["key"], listed["targets"], "value" in listed) == ("LAMP", ["preview"], False)
    changed = await lin.row("update_env_var", project=project, id=listed["id"], key="LANTERN", value="third")
    assert changed["key"] == "LANTERN"
    await lin.run("delete_env_var", project=project, id=listed["id"])
    assert await lin.rows("list_env_vars", project=project) == []


async def test_a_domain_is_added_proved_and_removed(lin: Front, project: str) -> None:
    name = f"{project}.example.com"
    made = await lin.row("add_project_domain", project=project, domain=name)
    assert made["is_verified"] is False
    assert made["verification"]
    with pytest.raises(AlreadyThere):
        await lin.run("add_project_domain", project=project, domain=name)
    assert (await lin.row("verify_project_domain", project=project, domain=name))["is_verified"] is True
    assert [each["name"] for each in await lin.rows("list_project_domains", project=project)] == [name]
    await lin.run("remove_project_domain", project=project, domain=name)
    assert await lin.rows("list_project_domains", project=project) == []


# --------------------------------------------------------------------------------------------------- Prism

SAMPLES: dict[str, Json] = {
    "id": "dpl_1",
    "uid": "dpl_1",
    "name": "harbour-site",
    "projectId": "prj_1",
    "url": "harbour-site.example",
    "readyState": "READY",
    "state": "READY",
    "status": "READY",
    "message": "lit",
    "next": None,
}
SITE: dict[str, Json] = {"project": "harbour-site"}
ONE: dict[str, Json] = {"deployment": "dpl_1"}
DOMAIN: dict[str, Json] = {**SITE, "domain": "pier.example"}
SET: dict[str, Json] = {"key": "LAMP", "value": "lit", "targets": ["preview"], "comment": "A lamp."}
SETTINGS: JsonObject = {"framework": "vite", "build_command": "make"}
MADE_BY_HAND: list[Json] = [{"path": "a", "sha": "0" * 40, "size": 1}]
CALLS: list[tuple[str, dict[str, Json]]] = [
    ("get_account", {}),
    ("list_projects", {"search": "harbour", "limit": 7}),
    ("get_project", SITE),
    ("create_project", {"name": "pier", "git_repository": {"type": "github", "repo": "a/b"}, "framework": "vite"}),
    ("update_project", {**SITE, "node_version": "22.x", "root_directory": "web"}),
    ("delete_project", SITE),
    ("upload_file", {"path": "a", "content": {"text": "a"}}),
    ("create_deployment", {**SITE, "git": GIT, "target": "production", "settings": SETTINGS, "force_new": True}),
    ("create_deployment", {**SITE, "files": MADE_BY_HAND}),
    ("deploy", {**SITE, "files": [{"path": "a", "content": {"text": "a"}}]}),
    ("deploy", {**SITE, "redeploy_of": "dpl_0"}),
    ("list_deployments", {**SITE, "target": "production", "state": "READY", "since": "2026-11-22T12:00:00Z"}),
    ("get_deployment", ONE),
    ("cancel_deployment", ONE),
    ("promote_deployment", {**SITE, **ONE}),
    ("rollback", {**SITE, **ONE, "reason": "The lamp went out"}),
    ("get_build_logs", {**ONE, "limit": 5}),
    ("get_runtime_logs", ONE),
    ("view_logs", ONE),
    ("list_project_domains", SITE),
    ("add_project_domain", {**DOMAIN, "redirect": "harbour.example", "redirect_status": 308}),
    ("verify_project_domain", DOMAIN),
    ("remove_project_domain", {**DOMAIN, "remove_redirects": True}),
    ("get_domain_config", DOMAIN),
    ("list_env_vars", {**SITE, "git_branch": "fog"}),
    ("set_env_var", {**SITE, **SET}),
    ("update_env_var", {**SITE, "id": "env1", "value": "out"}),
    ("delete_env_var", {**SITE, "id": "env1"}),
]


@pytest.fixture(scope="module")
async def described(tmp_path_factory: pytest.TempPathFactory, way_out: HttpTransport) -> AsyncIterator[Front]:
    async with prism(DESCRIPTION, SAMPLES, tmp_path_factory.mktemp("prism")) as address:
        yield Front(integration(way_out, address), settings("any", {"team_id": "team_HarbourWorks01"}))


@pytest.mark.parametrize(("name", "parameters"), CALLS)
async def test_what_is_sent_is_as_described(described: Front, name: str, parameters: dict[str, Json]) -> None:
    await described.run(name, **parameters)


def test_every_action_is_sent(described: Front) -> None:
    assert {f"vercel.{name}" for name, _ in CALLS} == set(described.integration.actions)


async def test_the_connection_test_is_as_described(described: Front) -> None:
    assert (await described.integration.identify(described.setting())).account.label == "harbour-site"
