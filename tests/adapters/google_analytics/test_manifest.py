"""What the manifest says of Google Analytics, and how a connection is proved and ended."""

import pytest

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.integration import FolderIntegration
from adapters._kit.sandbox_google import TOKEN_IDENTITY
from adapters.google_analytics.sandbox_state import EDIT, HARBOUR, READ
from domain.catalogue import Effect, Integration
from domain.errors import ReconnectNeeded, ScopeMissing, SlowDown, Unavailable
from tests.adapters.google_analytics.conftest import DESCRIPTION, practice
from tests.support.trials import Trial

IDENTITY = ("openid", "https://www.googleapis.com/auth/userinfo.email")
TABLE = {
    "list_properties",
    "get_property",
    "run_report",
    "batch_run_reports",
    "run_realtime_report",
    "run_pivot_report",
    "get_metadata",
    "check_compatibility",
    "list_key_events",
    "create_key_event",
    "delete_key_event",
    "list_data_streams",
    "create_data_stream",
    "create_custom_dimension",
    "create_custom_metric",
    "list_event_create_rules",
    "create_event_create_rule",
    "create_audience",
}
COMPOSED = {"view_traffic", "view_realtime_traffic", "set_up_key_events"}


@pytest.fixture(scope="module")
def offline() -> Integration:
    return load(CannedTransport(lambda _: NotSent("connect_failed")), {}, {}).integrations["google_analytics"]


def test_every_curated_action_is_there(offline: Integration) -> None:
    assert {slug.partition(".")[2] for slug in offline.actions} == TABLE | COMPOSED


def test_scopes_are_the_least_for_what_is_asked(offline: Integration) -> None:
    actions = offline.actions
    assert offline.scopes_for([actions["google_analytics.view_traffic"]]) == (*IDENTITY, READ)
    assert offline.scopes_for([actions["google_analytics.set_up_key_events"]]) == (*IDENTITY, EDIT)
    assert not offline.is_usable_scope([EDIT], READ)  # reports are refused to it


def test_reading_asks_for_reading_and_changing_for_changing(offline: Integration) -> None:
    for action in offline.actions.values():
        assert action.required_scopes == ((READ,) if action.effect is Effect.READ else (EDIT,)), action.slug


def test_nobody_is_promised_a_dashboard_inside_analytics(offline: Integration) -> None:
    assert not any("dashboard" in slug for slug in offline.actions)
    assert "no way to create or change dashboards" in " ".join(
        offline.actions["google_analytics.batch_run_reports"].description.split()
    )


def test_users_find_actions_by_their_own_words(offline: Integration) -> None:
    for words, name in [
        ("visitors", "view_traffic"),
        ("channel", "view_traffic"),
        ("right now", "view_realtime_traffic"),
        ("conversions", "set_up_key_events"),
        ("Set up an event", "create_event_create_rule"),
        ("dashboard", "batch_run_reports"),
    ]:
        assert words in offline.actions[f"google_analytics.{name}"].description


def test_the_description_holds_the_routes_of_the_table() -> None:
    assert "POST /v1beta/properties/{propertiesId}:runReport" in DESCRIPTION.routes()
    assert len(DESCRIPTION.routes()) == len(TABLE)


def test_the_sandbox_stands_for_every_host() -> None:
    manifest = manifest_of("google_analytics")
    assert manifest.sandbox is not None
    assert set(manifest.http.hosts) == set(manifest.sandbox.hosts) == {"data", "identity", "oauth"}
    assert manifest.oauth2 is not None
    assert (manifest.oauth2.refresh, manifest.oauth2.parameters["access_type"]) == ("reusable", "offline")


async def test_a_connection_is_named_by_the_google_account(analytics: Trial) -> None:
    identity = await analytics.integration.identify(analytics.setting())
    assert (identity.account.id, identity.account.label) == ("108000000000000000001", "mara@harbour.example")
    assert isinstance(analytics.integration, FolderIntegration)
    assert analytics.integration.oauth is not None


async def test_a_missing_permission_is_noticed() -> None:
    async with practice(TOKEN_IDENTITY) as narrow:
        with pytest.raises(ScopeMissing):
            await narrow.run("view_traffic", property_id=HARBOUR)
        assert (await narrow.integration.identify(narrow.setting())).account.label == "mara@harbour.example"


@pytest.mark.parametrize(
    ("kind", "problem"), [("401", ReconnectNeeded), ("403_secondary", SlowDown), ("503", Unavailable)]
)
async def test_refusals_are_told_in_our_words(analytics: Trial, kind: str, problem: type[Exception]) -> None:
    await analytics.misbehave(kind)
    with pytest.raises(problem):
        await analytics.run("list_properties")


async def test_a_token_that_ended_must_be_renewed() -> None:
    async with practice("ya29.sandbox-nobody") as stranger:
        with pytest.raises(ReconnectNeeded):
            await stranger.run("list_properties")
