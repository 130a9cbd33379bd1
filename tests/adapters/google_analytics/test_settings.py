"""Properties and their settings: streams, key events, custom fields, rules, audiences."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters._kit.http import Outgoing
from adapters.google_analytics.sandbox_state import HARBOUR, TIDES, WEB_STREAM
from domain.errors import AlreadyThere, AnswerLost, Forbidden, NotThere, Rejected
from tests.support.trials import Trial

PROPERTY = {"property_id": HARBOUR}
STREAM = {**PROPERTY, "stream_id": WEB_STREAM}
CREATE = "POST /analyticsadmin/v1beta/properties/{property}/"
BUSY = [{"field": "page_location", "compare": "contains", "value": "/contact", "ignores_case": True}]


def sent(analytics: Trial) -> list[Any]:
    return [json.loads(each.body) for each in analytics.requests if each.body is not None]


async def key_events(analytics: Trial) -> list[str]:
    return [each["event_name"] for each in await analytics.run("list_key_events", **PROPERTY)]


# ---------------------------------------------------------------------------------------------- properties


async def test_properties_are_listed_by_account_with_their_plain_numbers(analytics: Trial) -> None:
    (account,) = await analytics.run("list_properties")
    assert (account["account_id"], account["name"]) == ("210000001", "Harbour")
    assert [(each["property_id"], each["can_edit"]) for each in account["properties"]] == [
        (HARBOUR, True),
        (TIDES, None),
    ]


async def test_a_property_tells_its_time_zone_and_currency(analytics: Trial) -> None:
    found = await analytics.run("get_property", **PROPERTY)
    assert (found["property_id"], found["time_zone"], found["currency"]) == (HARBOUR, "Etc/UTC", "EUR")


async def test_data_streams_tell_the_measurement_id(analytics: Trial) -> None:
    (stream,) = await analytics.run("list_data_streams", **PROPERTY)
    assert (stream["stream_id"], stream["measurement_id"]) == (WEB_STREAM, "G-HARBOUR001")
    assert await analytics.run("list_data_streams", property_id=TIDES) == []


async def test_a_website_or_an_app_is_connected(analytics: Trial) -> None:
    site = await analytics.run(
        "create_data_stream", **PROPERTY, kind="web", name="Shop", website="https://shop.example"
    )
    assert (site["website"], site["measurement_id"][:2]) == ("https://shop.example", "G-")
    app = await analytics.run("create_data_stream", **PROPERTY, kind="ios", name="App", app_id="example.harbour")
    assert (app["app_id"], app["measurement_id"]) == ("example.harbour", None)
    assert len(await analytics.run("list_data_streams", **PROPERTY)) == 3


@pytest.mark.parametrize(
    "mixed", [{"kind": "web"}, {"kind": "ios", "website": "https://a.example"}, {"kind": "android"}]
)
async def test_a_stream_without_what_its_kind_needs_is_refused_before_anything_is_sent(
    analytics: Trial, mixed: dict[str, str]
) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await analytics.run("create_data_stream", **PROPERTY, name="Shop", **mixed)
    assert analytics.requests == []


# ---------------------------------------------------------------------------------------------- key events


async def test_a_key_event_is_created_listed_and_deleted(analytics: Trial) -> None:
    worth = {"amount": 12.5, "currency": "EUR"}
    made = await analytics.run(
        "create_key_event", **PROPERTY, event_name="sign_up", counting="once_per_visit", worth=worth
    )
    assert (made["counting"], made["amount"], made["currency"]) == ("ONCE_PER_SESSION", 12.5, "EUR")
    assert await key_events(analytics) == ["purchase", "berth_booked", "sign_up"]
    number = made["name"].rpartition("/")[2]
    assert await analytics.run("delete_key_event", **PROPERTY, key_event_id=number) is None
    with pytest.raises(NotThere):
        await analytics.run("delete_key_event", **PROPERTY, key_event_id=number)


async def test_an_event_that_is_a_key_event_already_is_a_conflict(analytics: Trial) -> None:
    with pytest.raises(AlreadyThere):
        await analytics.run("create_key_event", **PROPERTY, event_name="berth_booked")


async def test_google_s_own_key_events_stay(analytics: Trial) -> None:
    (own,) = [each for each in await analytics.run("list_key_events", **PROPERTY) if not each["is_deletable"]]
    with pytest.raises(Rejected):
        await analytics.run("delete_key_event", **PROPERTY, key_event_id=own["name"].rpartition("/")[2])


async def test_setting_up_key_events_creates_only_what_is_missing_and_may_be_repeated(analytics: Trial) -> None:
    wanted = ["berth_booked", "sign_up", "scroll", "sign_up"]
    first = await analytics.run("set_up_key_events", **PROPERTY, event_names=wanted)
    assert first == {"created": ["sign_up", "scroll"], "existing": ["berth_booked"]}
    again = await analytics.run("set_up_key_events", **PROPERTY, event_names=wanted)
    assert again == {"created": [], "existing": ["berth_booked", "sign_up", "scroll"]}
    assert (await analytics.effects())[CREATE + "keyEvents"] == 2


async def test_a_key_event_that_somebody_else_makes_meanwhile_counts_as_existing(analytics: Trial) -> None:
    async def interrupt(request: Outgoing) -> None:
        if request.method == "POST":
            analytics.recording.before = None
            await analytics.run("create_key_event", **PROPERTY, event_name="sign_up")

    analytics.recording.before = interrupt
    found = await analytics.run("set_up_key_events", **PROPERTY, event_names=["sign_up"])
    assert found == {"created": [], "existing": ["sign_up"]}


async def test_key_events_that_are_set_up_count_in_reports(analytics: Trial) -> None:
    told = {"metrics": ["keyEvents"], "periods": [{"start": "7daysAgo", "end": "yesterday"}]}
    before = (await analytics.run("run_report", **PROPERTY, **told))["rows"][0]["keyEvents"]
    await analytics.run("set_up_key_events", **PROPERTY, event_names=["sign_up"])
    assert (await analytics.run("run_report", **PROPERTY, **told))["rows"][0]["keyEvents"] > before


async def test_key_events_are_read_page_by_page(analytics: Trial) -> None:
    assert len(await analytics.run("list_key_events", **PROPERTY, limit=1)) == 1
    names = [f"step_{number}" for number in range(20)]
    await analytics.run("set_up_key_events", **PROPERTY, event_names=names)
    del analytics.requests[:]
    assert len(await analytics.run("list_key_events", **PROPERTY)) == 22
    assert urlsplit(analytics.requests[0].url).query == "pageSize=100"


async def test_who_may_only_look_changes_nothing(analytics: Trial) -> None:
    with pytest.raises(Forbidden) as refused:
        await analytics.run("create_key_event", property_id=TIDES, event_name="sign_up")
    assert not refused.value.may_have_happened


async def test_a_lost_answer_to_a_write_may_have_happened(analytics: Trial) -> None:
    await analytics.misbehave("lost_answer", "POST */keyEvents")
    with pytest.raises(AnswerLost) as lost:
        await analytics.run("create_key_event", **PROPERTY, event_name="sign_up")
    assert lost.value.may_have_happened
    assert "sign_up" in await key_events(analytics)


# --------------------------------------------------------------------------------- rules, fields, audiences


async def test_an_event_is_derived_from_another(analytics: Trial) -> None:
    changes = [{"parameter": "step", "value": "[[page_title]]"}]
    made = await analytics.run(
        "create_event_create_rule", **STREAM, new_event="contact_seen", conditions=BUSY, changes=changes
    )
    assert (made["new_event"], made["copies_parameters"]) == ("contact_seen", True)
    assert made["conditions"][0]["comparison"] == "CONTAINS_CASE_INSENSITIVE"
    assert sent(analytics)[0]["parameterMutations"] == [{"parameter": "step", "parameterValue": "[[page_title]]"}]
    assert await analytics.run("list_event_create_rules", **STREAM) == [made]


async def test_greater_and_less_know_no_letter_case(analytics: Trial) -> None:
    dear = [{"field": "value", "compare": "at_least", "value": "100", "ignores_case": True, "is_negated": True}]
    told = {"new_event": "small_order", "conditions": dear, "copies_parameters": False}
    made = await analytics.run("create_event_create_rule", **STREAM, **told)
    assert (made["conditions"][0]["comparison"], made["conditions"][0]["is_negated"]) == ("GREATER_THAN_OR_EQUAL", True)


async def test_a_custom_dimension_can_be_asked_for_in_reports(analytics: Trial) -> None:
    told = {"parameter_name": "berth_size", "display_name": "Berth size", "description": "In metres."}
    made = await analytics.run("create_custom_dimension", **PROPERTY, **told)
    assert (made["parameter_name"], made["scope"], made["unit"]) == ("berth_size", "EVENT", None)
    found = await analytics.run("get_metadata", **PROPERTY, only_custom=True)
    assert [each["name"] for each in found["dimensions"]] == ["customEvent:berth_size"]
    with pytest.raises(AlreadyThere):
        await analytics.run("create_custom_dimension", **PROPERTY, **told)


async def test_a_custom_metric_of_money_says_which_money(analytics: Trial) -> None:
    told = {"parameter_name": "fee", "display_name": "Fee"}
    made = await analytics.run("create_custom_metric", **PROPERTY, **told, unit="currency", money="revenue")
    assert (made["unit"], made["scope"]) == ("CURRENCY", "EVENT")
    assert sent(analytics)[0]["restrictedMetricType"] == ["REVENUE_DATA"]
    for mixed in ({"unit": "currency"}, {"money": "cost"}):
        with pytest.raises(Rejected, match="Nothing was sent"):
            await analytics.run("create_custom_metric", **PROPERTY, **told, **mixed)


async def test_a_name_that_is_too_long_for_a_person_s_property_is_refused(analytics: Trial) -> None:
    told = {"parameter_name": "a" * 25, "display_name": "Long", "scope": "user"}
    with pytest.raises(Rejected, match="24"):
        await analytics.run("create_custom_dimension", **PROPERTY, **told)


async def test_an_audience_is_made_of_what_visitors_did_and_are(analytics: Trial) -> None:
    made = await analytics.run(
        "create_audience",
        **PROPERTY,
        display_name="Left the cart",
        description="Put something in, did not buy.",
        include=[{"event_name": "add_to_cart"}, {"field": "country", "value": "Germany"}],
        exclude=[{"event_name": "purchase"}],
        within="one_visit",
        membership_days=7,
    )
    assert (made["display_name"], made["membership_days"]) == ("Left the cart", 7)
    include, exclude = sent(analytics)[0]["filterClauses"]
    assert (include["clauseType"], exclude["clauseType"]) == ("INCLUDE", "EXCLUDE")
    groups = include["simpleFilter"]["filterExpression"]["andGroup"]["filterExpressions"]
    assert [list(group) for group in groups] == [["orGroup"], ["orGroup"]]


@pytest.mark.parametrize("rule", [{}, {"event_name": "a", "field": "b", "value": "c"}, {"field": "b"}, {"value": "c"}])
async def test_a_rule_that_says_nothing_is_refused_before_anything_is_sent(
    analytics: Trial, rule: dict[str, str]
) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await analytics.run("create_audience", **PROPERTY, display_name="Nobody", description="None.", include=[rule])
    assert analytics.requests == []


@pytest.mark.parametrize(
    ("action", "parameters", "pointers"),
    [
        ("create_key_event", {"event_name": "1st"}, ["/event_name"]),
        ("create_key_event", {"event_name": "a" * 41}, ["/event_name"]),
        (
            "create_key_event",
            {"event_name": "a", "worth": {"amount": -1, "currency": "euro"}},
            ["/worth/amount", "/worth/currency"],
        ),
        ("set_up_key_events", {"event_names": []}, ["/event_names"]),
        ("delete_key_event", {"key_event_id": "../2"}, ["/key_event_id"]),
        ("create_data_stream", {"kind": "web", "name": "", "website": "ftp://x"}, ["/name", "/website"]),
        ("create_custom_dimension", {"parameter_name": "a", "display_name": "a[b]"}, ["/display_name"]),
        ("create_custom_metric", {"parameter_name": "a", "display_name": "A", "unit": "stones"}, ["/unit"]),
        (
            "create_audience",
            {"display_name": "A", "description": "B", "include": [], "membership_days": 541},
            ["/include", "/membership_days"],
        ),
        ("create_event_create_rule", {"stream_id": "1", "new_event": "a", "conditions": BUSY * 11}, ["/conditions"]),
        ("list_event_create_rules", {}, ["/stream_id"]),
        ("list_properties", {"limit": 0}, ["/limit", "/property_id"]),
        ("list_data_streams", {"limit": True}, ["/limit"]),
        ("get_property", {"property_id": 310000001}, ["/property_id"]),
    ],
)
def test_bad_input_is_caught_before_a_call_leaves(
    analytics: Trial, action: str, parameters: dict[str, Any], pointers: list[str]
) -> None:
    found = analytics.integration.actions[f"google_analytics.{action}"].check({**PROPERTY, **parameters})
    assert [each.pointer for each in found] == pointers
