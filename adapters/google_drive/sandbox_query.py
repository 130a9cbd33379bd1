"""The query language of Drive's search, as far as the sandbox understands it; anything else is refused.

Terms: name, fullText, mimeType, modifiedTime, createdTime, trashed, starred, sharedWithMe, `'ID' in parents`,
`'EMAIL' in owners`, `appProperties has { key='K' and value='V' }`; put together with and, or, not and parentheses.
Source: https://developers.google.com/workspace/drive/api/guides/ref-search-terms
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters._kit.sandbox_google import GoogleRefused
from adapters.google_drive.sandbox_state import File

Question = Callable[[File], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<sign>[(){}]|[<>!]?=|[<>])|(?P<word>[A-Za-z]+))")
_MOST = 4000


@dataclass(frozen=True)
class Looker:
    """Who looks: their e-mail address, the id of their root folder, and the addresses of owners by number."""

    email: str
    root: str
    owners: Mapping[str, str]


def question(text: str, looker: Looker) -> Question:
    """The query as a question about a file; raises GoogleRefused (400) for what is no query."""
    if not text:
        return lambda _file: True
    return _Reader(_tokens(text), looker).whole()


def wrong() -> GoogleRefused:
    """400, as Drive says it."""
    return GoogleRefused(400, "INVALID_ARGUMENT", "Invalid Value", reason="invalid")


def _tokens(text: str) -> list[str]:
    found, place, text = [], 0, text[:_MOST].rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise wrong()
        found.append(match[0].strip())
        place = match.end()
    return found


class _Reader:
    """Reads one query from left to right."""

    def __init__(self, tokens: list[str], looker: Looker) -> None:
        self._tokens = tokens
        self._looker = looker

    def whole(self) -> Question:
        found = self._either()
        if self._tokens:
            raise wrong()
        return found

    def _either(self) -> Question:
        parts = [self._both()]
        while self._next_is("or"):
            parts.append(self._both())
        return lambda file: any(part(file) for part in parts)

    def _both(self) -> Question:
        parts = [self._one()]
        while self._next_is("and"):
            parts.append(self._one())
        return lambda file: all(part(file) for part in parts)

    def _one(self) -> Question:
        if self._next_is("not"):
            part = self._one()
            return lambda file: not part(file)
        if self._next_is("("):
            found = self._either()
            self._must(")")
            return found
        return self._term(self._take())

    def _term(self, first: str) -> Question:
        if first.startswith("'"):
            self._must("in")
            return self._within(_plain(first), self._take())
        match first:
            case "sharedWithMe":
                return lambda file: self._looker.owners.get(file.owner) != self._looker.email
            case "trashed" | "starred":
                wanted = self._take("=") + self._take()
                if wanted not in ("=true", "=false"):
                    raise wrong()
                return lambda file: bool(getattr(file, first)) is (wanted == "=true")
            case "appProperties":
                return self._mark()
            case "name" | "fullText" | "mimeType":
                return _about_text(first, self._take(), _plain(self._take()))
            case "modifiedTime" | "createdTime":
                return _about_time(first, self._take(), _plain(self._take()))
        raise wrong()

    def _within(self, value: str, where: str) -> Question:
        if where == "parents":
            folder = self._looker.root if value == "root" else value
            return lambda file: file.parent == folder
        if where == "owners":
            return lambda file: self._looker.owners.get(file.owner, "").lower() == value.lower()
        raise wrong()

    def _mark(self) -> Question:
        for token in ("has", "{", "key", "="):
            self._must(token)
        key = _plain(self._take())
        for token in ("and", "value", "="):
            self._must(token)
        value = _plain(self._take())
        self._must("}")
        return lambda file: file.app_properties.get(key) == value

    def _next_is(self, token: str) -> bool:
        if self._tokens[:1] == [token]:
            del self._tokens[0]
            return True
        return False

    def _must(self, token: str) -> None:
        if not self._next_is(token):
            raise wrong()

    def _take(self, *expected: str) -> str:
        if not self._tokens or (expected and self._tokens[0] not in expected):
            raise wrong()
        return self._tokens.pop(0)


def _plain(token: str) -> str:
    if not token.startswith("'"):
        raise wrong()
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _about_text(member: str, sign: str, value: str) -> Question:
    wanted = value.lower()
    if member == "fullText" and sign == "contains":
        return lambda file: all(word in _text(file) for word in wanted.split())
    if member == "name" and sign == "contains":
        return lambda file: all(any(part.startswith(word) for part in _words(file.name)) for word in _words(wanted))
    if member == "mimeType" and sign == "contains":
        return lambda file: wanted in file.media_type
    if member in ("name", "mimeType") and sign in ("=", "!="):
        kept = "name" if member == "name" else "media_type"
        return lambda file: (getattr(file, kept) == value) is (sign == "=")
    raise wrong()


def _about_time(member: str, sign: str, value: str) -> Question:
    kept = "modified_at" if member == "modifiedTime" else "created_at"
    ways: dict[str, Callable[[str, str], bool]] = {
        "=": lambda had, asked: had == asked,
        "<": lambda had, asked: had < asked,
        "<=": lambda had, asked: had <= asked,
        ">": lambda had, asked: had > asked,
        ">=": lambda had, asked: had >= asked,
    }
    if sign not in ways or not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?", value):
        raise wrong()
    asked = value if "T" in value else f"{value}T00:00:00"
    return lambda file: ways[sign](str(getattr(file, kept))[:19], asked)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _text(file: File) -> str:
    content = file.content.decode("utf-8", "replace") if file.is_google or file.media_type.startswith("text/") else ""
    return f"{file.name}\n{file.description}\n{content}".lower()
