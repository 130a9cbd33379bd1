"""One vocabulary for all registrars: an agent that has learned one can use another."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from adapters._kit.catalogue import load
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.registrar import Offer, Record, decimal_text, ordered
from adapters._kit.zone import Change, Wanted, full, plan, relative, same, unquoted
from domain.catalogue import Action, Category
from domain.errors import AnswerGarbled, Rejected
from domain.json import Json

CATALOGUE = load(CannedTransport(lambda _: NotSent("refused_address")), {}, {})
REGISTRARS = [slug for slug, each in CATALOGUE.integrations.items() if each.category is Category.DOMAINS]
VOCABULARY = (
    "search_domains",
    "check_availability",
    "get_pricing",
    "purchase_domain",
    "list_domains",
    "get_domain",
    "list_dns_records",
    "create_dns_record",
    "update_dns_record",
    "delete_dns_record",
    "upsert_dns_record",
)
#: What not all of them let programs do; those that do, do it in the same words.
SOMETIMES = ("get_account", "renew_domain", "set_nameservers")
#: What an answer holds everywhere.
SHARED = {
    "search_domains": {"domain", "purchasable", "premium", "purchase_price", "renewal_price"},
    "check_availability": {"domain", "purchasable", "premium", "purchase_price", "renewal_price"},
    "get_pricing": {"premium", "purchase_price", "renewal_price", "transfer_price"},
    "purchase_domain": {"domain", "state", "quoted_price"},
    "renew_domain": {"domain", "years", "state", "quoted_price"},
    "list_domains": {"domain", "created_at", "expires_at", "autorenew", "privacy"},
    "get_domain": {"domain", "created_at", "expires_at", "autorenew", "privacy"},
    "list_dns_records": {"id", "type", "host", "answer", "ttl", "priority"},
    "create_dns_record": {"id", "type", "host", "answer", "ttl", "priority"},
    "update_dns_record": {"id", "type", "host", "answer", "ttl", "priority"},
    "upsert_dns_record": {"id", "type", "host", "answer", "ttl", "priority"},
}
#: What one registrar cannot do without.
NEEDED_MORE = {"dnsimple.purchase_domain": {"contact_id"}}


def action(registrar: str, name: str) -> Action:
    found = CATALOGUE.action(f"{registrar}.{name}")
    assert found is not None, f"{registrar} has no {name}"
    return found


def properties(schema: Any) -> Mapping[str, Any]:
    """The members of an object, or of what a list holds."""
    while "$ref" in schema.get("items", schema):
        schema = {**schema["$defs"][schema.get("items", schema)["$ref"].removeprefix("#/$defs/")]}
    found: Mapping[str, Any] = schema.get("items", schema).get("properties", {})
    return found


def types(schema: Any) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {each["type"] for each in choices if "type" in each} - {"null"}


def offered(names: Sequence[str]) -> list[tuple[str, str]]:
    """Registrars and actions, but for those that a registrar does not have and need not have."""
    pairs = [(registrar, name) for registrar in REGISTRARS for name in names]
    return [each for each in pairs if each[1] not in SOMETIMES or CATALOGUE.action(".".join(each))]


@pytest.mark.parametrize(("registrar", "name"), offered([*VOCABULARY, *SOMETIMES]))
def test_a_call_written_for_one_registrar_is_a_call_of_another(registrar: str, name: str) -> None:
    model, ours = action("namecom", name), action(registrar, name)
    more = NEEDED_MORE.get(ours.slug, set())
    asked, known = properties(ours.parameters_schema), properties(model.parameters_schema)
    required = ours.parameters_schema.get("required", [])
    assert isinstance(required, list)
    assert set(known) <= set(asked)
    assert set(required) == set(model.parameters_schema.get("required", [])) | more  # type: ignore[arg-type]
    assert [each for each in known if types(asked[each]) != types(known[each])] == []
    # Only some services take a key with an order.
    assert name == "purchase_domain" or ours.is_idempotent == model.is_idempotent
    assert (ours.effect, asked.get("ttl", {}).get("default")) == (model.effect, known.get("ttl", {}).get("default"))


@pytest.mark.parametrize(("registrar", "name"), offered(list(SHARED)))
def test_an_answer_read_for_one_registrar_reads_as_that_of_another(registrar: str, name: str) -> None:
    shared = SHARED[name]
    model, ours = action("namecom", name).result_schema, action(registrar, name).result_schema
    found, known = properties(ours), properties(model)
    assert shared <= set(found) & set(known)
    assert [each for each in shared if types(found[each]) != types(known[each])] == []


# --------------------------------------------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    ("amount", "text"),
    [(12.99, "12.99"), (10, "10.00"), (0.1, "0.10"), (8.125, "8.125"), ("8.5", "8.50"), ("349.95", "349.95")],
)
def test_an_amount_becomes_decimal_text(amount: Json, text: str) -> None:
    assert decimal_text(amount) == text


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), "NaN", "Infinity", -1.0, "-1", 1e300, True, "free", ""])
def test_what_is_no_amount_makes_the_answer_garbled(amount: Json) -> None:
    with pytest.raises(AnswerGarbled):
        Offer.of({"domain": "example.org", "purchasable": True, "purchase_price": amount})


# ----------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("host", "within", "whole"),
    [
        ("www", "www", "www.example.org"),
        ("@", "@", "example.org"),
        ("", "@", "example.org"),
        ("example.org", "@", "example.org"),
        ("Example.org.", "@", "example.org"),
        ("WWW.Example.org", "www", "www.example.org"),
        ("*.example.org", "*", "*.example.org"),
        ("notexample.org", "notexample.org", "notexample.org.example.org"),
    ],
)
def test_a_host_is_told_within_its_domain_and_with_it(host: str, within: str, whole: str) -> None:
    assert (relative(host, "example.org"), full(host, "example.org")) == (within, whole)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("v=spf1 -all", "v=spf1 -all"),
        ('"v=spf1 -all"', "v=spf1 -all"),
        ('"one" "two"', "onetwo"),
        (r'"say \"ahoy\" \\o/"', r'say "ahoy" \o/'),
        ('half "quoted"', 'half "quoted"'),
        ('"', '"'),
        ('""', ""),
        ("", ""),
    ],
)
def test_quoted_strings_are_one_text(text: str, plain: str) -> None:
    assert unquoted(text) == plain


# ---------------------------------------------------------------------------------------------------- answers


def record(number: int, type: str, answer: str, ttl: int = 300) -> Record:
    return Record.of({"id": number, "type": type, "host": "@", "answer": answer, "ttl": ttl})


@pytest.mark.parametrize(
    ("type", "one", "other", "equal"),
    [
        ("CNAME", "Example.org.", "example.org", True),
        ("TXT", "Abc", "abc", False),
        ("TXT", '"abc"', "abc", True),
        ("SRV", "5  5060 Sip.example.org.", "5 5060 sip.example.org", True),
        ("CAA", '0 issue "ca.example.org"', "0 issue ca.example.org", True),
        ("A", "203.0.113.1", "203.0.113.2", False),
    ],
)
def test_answers_that_mean_the_same_are_the_same(type: str, one: str, other: str, equal: bool) -> None:
    assert (same(type, one) == same(type, other)) is equal


@pytest.mark.parametrize(
    ("there", "values", "keep", "change", "add", "remove"),
    [
        ([], ["a"], [], [], ["a"], []),
        (["a"], ["a"], ["1"], [], [], []),
        (["a"], ["b"], [], [("1", "b")], [], []),
        (["a", "b"], ["b", "c"], ["2"], [("1", "c")], [], []),
        (["a", "b"], ["c"], [], [("1", "c")], [], ["2"]),
        (["a", "a"], ["a"], ["1"], [], [], ["2"]),
        (["a"], ["A.", "a"], ["1"], [], [], []),
    ],
)
def test_the_fewest_steps_lead_to_what_is_wanted(
    there: Sequence[str],
    values: Sequence[str],
    keep: list[str],
    change: list[tuple[str, str]],
    add: list[str],
    remove: list[str],
) -> None:
    records = [record(number, "CNAME", answer) for number, answer in enumerate(there, start=1)]
    found = plan(records, "CNAME", values, lambda _: True)
    assert [each.id for each in found.keep] == keep
    assert [(each.record.id, each.answer) for each in found.change] == change
    assert (list(found.add), [each.id for each in found.remove]) == (add, remove)


def test_what_is_there_and_not_right_is_corrected() -> None:
    old = record(1, "A", "203.0.113.1", ttl=60)
    assert plan([old], "A", ["203.0.113.1"], lambda each: each.ttl == 300).change == (Change(old, "203.0.113.1"),)


def test_mail_and_services_need_a_priority_and_others_have_none() -> None:
    for type in ("MX", "SRV"):
        with pytest.raises(Rejected, match=type):
            Wanted(type, "@", "mail.example.org", 300, None).told_priority()
    assert Wanted("MX", "@", "mail.example.org", 300, 0).told_priority() == 0
    assert Wanted("A", "@", "203.0.113.1", 300, 10).told_priority() is None


@pytest.mark.parametrize(
    ("type", "ttl", "priority", "is_met"),
    [
        ("A", 300, None, True),
        ("A", 300, 5, True),
        ("A", 60, None, False),
        ("MX", 300, 10, True),
        ("MX", 300, 20, False),
    ],
)
def test_a_priority_counts_only_where_there_is_one(type: str, ttl: int, priority: int | None, is_met: bool) -> None:
    there = Record(id="1", type=type, host="@", answer="x", ttl=300, priority=10)
    assert Wanted(type, "@", "x", ttl, priority).is_met_by(there) is is_met


# ----------------------------------------------------------------------------------------------------- orders


@pytest.mark.parametrize(("told", "state"), [("new", "pending"), ("lost", "lost"), (None, None), (["new"], ["new"])])
def test_an_order_is_told_in_our_words_and_with_the_price_asked_before(told: Json, state: Json) -> None:
    found = ordered({"state": told, "id": 7}, {"new": "pending"}, "example.org", Decimal("12.99"))
    assert found == {"state": state, "id": 7, "domain": "example.org", "quoted_price": "12.99"}
    assert ordered(None, {}, "example.org", None) == {"state": None, "domain": "example.org", "quoted_price": None}
