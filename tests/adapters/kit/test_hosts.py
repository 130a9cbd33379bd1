"""Services that live on several hosts: the same run, wherever it goes, and never elsewhere."""

from typing import Any

import pytest

from adapters._kit import Call, Effect, action
from adapters._kit.http import AnswerLost as Lost
from adapters._kit.http import CannedTransport
from adapters._kit.integration import FolderIntegration, Override
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.errors import Misconfigured, NotThere
from domain.secrets import Secret
from gateway.settings import IntegrationSettings
from tests.adapters.kit.sample import BASE_URL, TOKEN, in_turn, manifest, reply, setting, yes_to_all

HTTP = {"base_url": BASE_URL, "hosts": {"crew": "https://crew.example", "gate": "https://gate.example/v2/"}}
SANDBOX = {"api": "/api", "hosts": {"crew": "/crew", "gate": "/gate"}}
FORM = {"sign": "bearer", "fields": [{"name": "token", "title": "Token", "description": "Theirs."}]}
FLOW = {"authorize_url": "https://h/authorize", "token_url": "https://h/token"}


@action(effect=Effect.WRITE, look_for="a boat and its crew")
async def man(call: Call) -> None:
    """Man a boat."""
    await call.post("boats")
    await call.on("crew").get("people/{name}", name="a/b")
    await call.on("gate").on("").get("boats")
    await call.on("gate").get("open")


def service(
    transport: CannedTransport, override: Override | None = None, sandbox: str | None = None, **changes: Any
) -> FolderIntegration:
    described = manifest(**{"http": HTTP, "api_key": FORM, "sandbox": SANDBOX, **changes})
    return FolderIntegration(described, [man], transport, override or Override(), sandbox)


async def reached(override: Override | None = None) -> list[str]:
    transport = yes_to_all()
    there = service(transport, override)
    await there.run(there.actions["harbour.man"], {}, setting())
    assert {each.headers["authorization"] for each in transport.requests} == {f"Bearer {TOKEN}"}
    return [each.url for each in transport.requests]


async def test_an_action_says_which_host_it_means() -> None:
    assert await reached() == [
        f"{BASE_URL}/boats",
        "https://crew.example/people/a%2Fb",
        f"{BASE_URL}/boats",
        "https://gate.example/v2/open",
    ]


async def test_an_operator_replaces_each_host_or_all_of_them() -> None:
    one = await reached(Override(hosts={"crew": "https://crew.ours.example/"}))
    assert one[1::2] == ["https://crew.ours.example/people/a%2Fb", "https://gate.example/v2/open"]
    everything = await reached(Override(base_url="https://ours.example"))
    assert everything[1::2] == ["https://ours.example/people/a%2Fb", "https://ours.example/open"]
    both = await reached(Override(base_url="https://ours.example", hosts={"gate": "https://gate.ours.example"}))
    assert both[1::2] == ["https://ours.example/people/a%2Fb", "https://gate.ours.example/open"]


def test_a_setting_for_a_host_that_is_not_there_is_told() -> None:
    with pytest.raises(Misconfigured, match=r"names 'crow'\. There are: crew, gate"):
        service(yes_to_all(), Override(hosts={"crow": "https://x.example"}))


async def test_a_host_the_manifest_does_not_name_is_a_mistake_of_the_action() -> None:
    @action(effect=Effect.READ)
    async def stray(call: Call) -> None:
        """Stray."""
        await call.on("https://evil.example").get("boats")

    transport = yes_to_all()
    there = FolderIntegration(manifest(http=HTTP, api_key=FORM), [stray], transport, Override(), None)
    with pytest.raises(TypeError, match="names no host"):
        await there.run(there.actions["harbour.stray"], {}, setting())
    assert transport.requests == []


async def test_in_a_sandbox_each_host_is_a_path_under_its_address() -> None:
    transport = yes_to_all()
    there = service(transport, Override(base_url="https://ours.example"), "http://127.0.0.1:9/harbour/")
    plain = setting()
    practice = CallSetting(plain.credential, None, is_sandbox=True, key=plain.key, deadline_at=plain.deadline_at)
    await there.run(there.actions["harbour.man"], {}, practice)
    assert [each.url.removeprefix("http://127.0.0.1:9/harbour") for each in transport.requests] == [
        "/api/boats",
        "/crew/people/a%2Fb",
        "/api/boats",
        "/gate/open",
    ]


async def test_what_was_done_on_one_host_counts_on_every_other() -> None:
    there = service(in_turn(reply(201), reply(404)))
    with pytest.raises(NotThere) as problem:
        await there.run(there.actions["harbour.man"], {}, setting())
    assert problem.value.may_have_happened


async def test_what_is_lost_on_another_host_counts_for_the_whole_run() -> None:
    @action(effect=Effect.WRITE, look_for="crew")
    async def hire(call: Call) -> bool:
        """Hire."""
        try:
            await call.on("crew").post("people")
        except Exception:  # noqa: BLE001 - only what is remembered of it matters here
            return call.has_acted
        return False

    there = FolderIntegration(manifest(http=HTTP, api_key=FORM), [hire], in_turn(Lost("timed_out")), Override(), None)
    assert await there.run(there.actions["harbour.hire"], {}, setting()) is True


@pytest.mark.parametrize(
    "changes",
    [
        {"check": {"path": "me", "host": "crow", "account": "id", "label": "name"}},
        {"revoke": {"method": "POST", "host": "crow", "path": "revoke"}},
        {"sandbox": {"hosts": {"crew": "/crew"}}},
        {"sandbox": {"hosts": {**SANDBOX["hosts"], "crow": "/crow"}}},  # type: ignore[dict-item]  # of one kind here
        {"http": {"base_url": BASE_URL, "hosts": {"Not a name": "https://x.example"}}},
    ],
)
def test_a_manifest_names_only_hosts_that_there_are(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="host"):
        manifest(**{"http": HTTP, **changes})


# --------------------------------------------------------------------------- the connection test and the revocation


async def test_the_connection_test_may_live_on_another_host() -> None:
    transport = in_turn(reply(200, {"id": "7", "name": "Lin"}))
    there = service(transport, check={"host": "crew", "path": "me", "account": "id", "label": "name"})
    assert (await there.identify(setting())).account.id == "7"
    assert transport.requests[0].url == "https://crew.example/me"


def with_tokens(**tokens: str) -> CallSetting:
    credential = Credential(AuthScheme.OAUTH2, {name: Secret(token) for name, token in tokens.items()}, {})
    plain = setting()
    return CallSetting(credential, None, is_sandbox=False, key=plain.key, deadline_at=plain.deadline_at)


@pytest.mark.parametrize(
    ("tokens", "sent"),
    [({"access_token": "a", "refresh_token": "r"}, b"token=r"), ({"access_token": "a"}, b"token=a")],
)
async def test_a_token_may_be_revoked_by_itself_in_a_form_on_another_host(tokens: dict[str, str], sent: bytes) -> None:
    transport = in_turn(reply(200, {}))
    how = {"method": "POST", "host": "gate", "path": "revoke", "unsigned": True, "form": {"token": "{refresh_token}"}}
    ours = Override(client_id="us", client_secret=Secret("our-secret"))
    assert await service(transport, ours, oauth2=FLOW, revoke=how).revoke(with_tokens(**tokens))
    (request,) = transport.requests
    assert (request.url, request.body) == ("https://gate.example/v2/revoke", sent)
    assert "authorization" not in request.headers


# --------------------------------------------------------------------------------------------- as an operator sets it


def test_an_operator_names_hosts_in_the_file() -> None:
    read = IntegrationSettings.model_validate({"hosts": {"crew": "https://crew.ours.example"}})
    assert read.override().hosts == {"crew": "https://crew.ours.example"}


@pytest.mark.parametrize("address", ["crew.ours.example", "ftp://crew.example", "https://", ""])
def test_a_host_of_the_file_is_a_web_address(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        IntegrationSettings.model_validate({"hosts": {"crew": address}})
