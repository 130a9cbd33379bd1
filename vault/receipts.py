"""Signed receipts, and checking one with nothing at hand but itself.

    {"statement": {…}, "algorithm": "Ed25519", "key": "<id>", "publicKey": "<base64>", "signature": "<base64>"}

The signature is over `mandate receipt 1`, a line feed, and the statement as canonical JSON.
"""

import base64
from collections.abc import Mapping
from typing import cast

from domain.json import JsonObject
from domain.receipts import ReceiptFacts, receipt_bytes
from vault.signing import ALGORITHM, SigningKey, public_key
from vault.verifying import Report


class ReceiptPrinter:
    """Signs what is recorded. The same facts give the same receipt, byte for byte."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def receipt(self, facts: ReceiptFacts) -> JsonObject:
        """The statement in its envelope."""
        statement = facts.statement()
        return {
            "statement": statement,
            "algorithm": ALGORITHM,
            "key": self._key.public.id,
            "publicKey": self._key.public.text,
            "signature": base64.b64encode(self._key.sign(receipt_bytes(statement))).decode(),
        }


def is_receipt(value: object) -> bool:
    """Whether this looks like one at all."""
    return isinstance(value, Mapping) and {"statement", "signature", "publicKey"} <= value.keys()


def check_receipt(receipt: Mapping[str, object], key_id: str | None = None) -> Report:
    """Whether the statement is what was signed; `key_id` by whom, when that is known from elsewhere."""
    report = Report()
    try:
        statement = cast(JsonObject, receipt["statement"])
        key = public_key(str(receipt["publicKey"]))
        signature = base64.b64decode(str(receipt["signature"]))
        report.tenant, report.key_id = str(statement["tenant"]), key.id
        if not key.has_signed(receipt_bytes(statement), signature):
            report.find("The receipt is not what was signed.")
        if receipt["algorithm"] != ALGORITHM or receipt["key"] != key.id:
            report.find("The envelope does not name the key that it carries.")
        if key_id not in (None, key.id):
            report.find(f"The receipt was signed by the key {key.id}, not by {key_id}.")
    except (KeyError, TypeError, ValueError, AttributeError):
        report.find("This is not a receipt as Mandate writes it.")
    return report


def check_place(receipt: Mapping[str, object], record: JsonObject | None) -> list[str]:
    """What speaks against the receipt in the record that stands where it says that the execution ended."""
    statement = receipt["statement"]
    if record is None or not isinstance(statement, Mapping):
        return ["The history does not reach to where the receipt says that the execution ended."]
    outcome = statement["outcome"]
    status = outcome["status"] if isinstance(outcome, Mapping) else None
    told = (record.get("execution"), record.get("action"), record.get("status"))
    if told != (statement["execution"], statement["action"], status):
        return ["The history tells something else where the receipt says that the execution ended."]
    return []
