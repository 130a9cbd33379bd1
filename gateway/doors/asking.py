"""What a GraphQL request holds (GraphQL over HTTP, sections 4 and 5): read strictly, whichever door it came through.

A document may be named instead of sent (`documentId`, by the working group's draft on persisted documents), when the
operator has listed it. An operator can also allow the listed documents only.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import orjson

from domain.errors import Misconfigured
from schema.streams import Question

_OBJECT_WANTED = "The body must be a JSON object with a `query`."
_SHA256 = "sha256:"


class Malformed(Exception):
    """This is not a GraphQL request; the message says what is wrong."""

    def __init__(self, message: str, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    @property
    def formatted(self) -> dict[str, object]:
        """In GraphQL's own shape."""
        return {"message": self.message, "extensions": {"code": self.code}}


@dataclass(frozen=True, slots=True)
class Trusted:
    """The documents the operator has listed, by id. `only`: no other is run."""

    documents: Mapping[str, str] = field(default_factory=dict)
    only: bool = False

    def text(self, name: str) -> str:
        """The listed document. Raises Malformed when there is none."""
        found = self.documents.get(name) or self.documents.get(name.removeprefix(_SHA256))
        if found is None:
            raise Malformed("No document of this `documentId` is known here.", "DOCUMENT_NOT_FOUND")
        return found

    def admit(self, text: str) -> str:
        """A document sent in full. Raises Malformed when only listed ones are run and it is none of them."""
        if self.only and hashlib.sha256(text.encode()).hexdigest() not in self.documents:
            raise Malformed("Only documents that the operator has listed are run here.", "DOCUMENT_NOT_TRUSTED")
        return text


def trusted(file: Path | None, *, only: bool) -> Trusted:
    """Read a manifest: `{"<id>": "<document>"}`, or Apollo's with `operations: [{id, body}]`.

    Each document goes by its id there and by the SHA-256 of its text. Raises Misconfigured.
    """
    if file is None:
        if only:
            raise Misconfigured("`graphql.only_documents` needs `graphql.documents`, the file that lists them.")
        return Trusted()
    try:
        listed = _listed(json.loads(file.read_text()))
    except (OSError, ValueError):
        raise Misconfigured(f"`graphql.documents`: {file} cannot be read as a manifest of documents.") from None
    for name, text in listed.items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name.startswith(_SHA256) and name != _SHA256 + digest:
            raise Misconfigured(f"`graphql.documents`: {name[:20]}… is not the SHA-256 of its document.")
    by_digest = {hashlib.sha256(text.encode()).hexdigest(): text for text in listed.values()}
    return Trusted({**listed, **by_digest}, only)


def _listed(manifest: object) -> dict[str, str]:
    match manifest:
        case {"operations": list(operations)}:
            return {str(each["id"]): str(each["body"]) for each in operations}
        case dict() if all(isinstance(text, str) for text in manifest.values()):
            return {str(name): cast(str, text) for name, text in manifest.items()}
        case _:
            raise ValueError


def read(body: bytes, known: Trusted) -> Question:
    """Raises Malformed. A list would be a batch, which is not offered."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON, or nested too deeply.") from None
    if not isinstance(data, dict):
        raise Malformed(_OBJECT_WANTED)
    return question_of(data, known)


def question_of(data: Mapping[str, object], known: Trusted) -> Question:
    """One operation, from the members of a request. Raises Malformed."""
    name, variables, extensions = data.get("operationName"), data.get("variables"), data.get("extensions")
    if variables is not None and not isinstance(variables, dict):
        raise Malformed("`variables` must be an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise Malformed("`extensions` must be an object.")
    if name is not None and not isinstance(name, str):
        raise Malformed("`operationName` must be a string.")
    return Question(_text(data, known), variables, name or None, _asks_for_cost(extensions))


def _text(data: Mapping[str, object], known: Trusted) -> str:
    text, named = data.get("query"), data.get("documentId")
    if named is not None:
        if not isinstance(named, str) or text:
            raise Malformed("Send either `query` or `documentId`, as a text.")
        return known.text(named)
    if not isinstance(text, str) or not text:
        raise Malformed(_OBJECT_WANTED)
    return known.admit(text)


def _asks_for_cost(extensions: Mapping[str, object] | None) -> bool:
    """`"extensions": {"cost": true}` has the answer say what the operation was counted as."""
    return extensions is not None and extensions.get("cost") is True
