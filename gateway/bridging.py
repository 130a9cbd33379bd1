"""`mandate mcp`: MCP over stdin and stdout for clients that only start programs, relayed to a gateway over HTTP.

One message a line, each way. Nothing is understood here beyond what HTTP needs: which revision is spoken, which method
and name go into the headers that route, and that a stream is a line for each of its events. Everything else, the right
to do anything included, is the gateway's to decide. The token never appears in what is said here.
"""

import http.client
import json
import os
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import SplitResult, urlsplit

from domain.errors import Misconfigured
from domain.secrets import Secret

UNREACHABLE: Final = -32000
_MODERN_META: Final = "io.modelcontextprotocol/protocolVersion"
_EVENTS: Final = "text/event-stream"
_STREAMS: Final = frozenset({"subscriptions/listen"})
#: Which member of a request's params names what it is about (streamable HTTP, `Mcp-Name`).
_NAMING: Final = ("name", "uri", "taskId")

Message = Mapping[str, object]


@dataclass
class Bridge:
    """One client on this side, one gateway on the other. `url`: its address, with or without `/mcp`."""

    url: str
    token: Secret
    to_client: BinaryIO
    _revision: str | None = None
    _open: dict[object, http.client.HTTPConnection] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, from_client: BinaryIO) -> None:
        """Until the client closes its end; what it has asked by then is still answered.

        Raises Misconfigured for an address that is none.
        """
        where = _address(self.url)
        owed: list[threading.Thread] = []
        for line in from_client:
            message = _read(line)
            if message is None:
                if line.strip():
                    self._say(_error(None, -32700, "This line is no JSON object."))
                continue
            if message.get("method") == "notifications/cancelled":
                self._cancel(message)
            worker = threading.Thread(target=self._relay, args=(where, message), daemon=True)
            worker.start()
            if message.get("method") == "initialize":
                worker.join()  # what follows goes by the revision that was agreed on
            elif message.get("method") == "notifications/initialized":
                threading.Thread(target=self._listen, args=(where,), daemon=True).start()
            if message.get("method") not in _STREAMS:
                owed = [each for each in [*owed, worker] if each.is_alive()]
        for each in owed:
            each.join()

    def _relay(self, where: SplitResult, message: Message) -> None:
        name = message.get("id")
        connection = _connection(where)
        if name is not None:
            self._open[name] = connection
        try:
            connection.request("POST", where.path, json.dumps(message), self._headers(message))
            for answer in _answers(connection.getresponse()):
                self._pass_on(message, answer)
        except (OSError, http.client.HTTPException):
            if name is not None and name in self._open:
                said = f"The gateway at {where.scheme}://{where.netloc} cannot be reached."
                self._say(_error(name, UNREACHABLE, said))
        finally:
            self._open.pop(name, None)
            connection.close()

    def _listen(self, where: SplitResult) -> None:
        """What older revisions tell on a stream of its own: that the list of tools has changed."""
        connection = _connection(where)
        try:
            connection.request("GET", where.path, headers={**self._headers({}), "Accept": _EVENTS})
            answer = connection.getresponse()
            if answer.status == http.HTTPStatus.OK:
                for each in _answers(answer):
                    self._say(each)
        except (OSError, http.client.HTTPException):
            pass  # the client lists anew when it likes
        finally:
            connection.close()

    def _pass_on(self, asked: Message, answer: Message) -> None:
        if answer.get("id", 0) is None and asked.get("id") is not None:
            answer = {**answer, "id": asked["id"]}  # refused before it was read
        result = answer.get("result")
        if asked.get("method") == "initialize" and isinstance(result, Mapping):
            revision = result.get("protocolVersion")
            self._revision = revision if isinstance(revision, str) else None
        if "id" not in answer or asked.get("id") is not None:
            self._say(answer)

    def _cancel(self, message: Message) -> None:
        """Closing the answer's stream is how HTTP says it."""
        params = message.get("params")
        name = params.get("requestId") if isinstance(params, Mapping) else None
        connection = self._open.pop(name, None)
        if connection is not None and connection.sock is not None:
            connection.sock.close()

    def _headers(self, message: Message) -> dict[str, str]:
        params = message.get("params")
        params = params if isinstance(params, Mapping) else {}
        meta = params.get("_meta")
        modern = meta.get(_MODERN_META) if isinstance(meta, Mapping) else None
        headers = {
            "Authorization": f"Bearer {self.token.reveal()}",
            "Content-Type": "application/json",
            "Accept": f"application/json, {_EVENTS}",
        }
        if isinstance(modern, str):
            named = next((params[key] for key in _NAMING if isinstance(params.get(key), str)), None)
            headers |= {"MCP-Protocol-Version": modern, "Mcp-Method": str(message.get("method"))}
            headers |= {"Mcp-Name": named} if isinstance(named, str) and named.isascii() else {}
        elif self._revision is not None:
            headers["MCP-Protocol-Version"] = self._revision
        return headers

    def _say(self, message: Message) -> None:
        with self._lock:
            self.to_client.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            self.to_client.flush()


def bridge(url: str | None, token_file: Path | None, usual_url: str) -> None:
    """Relay between this process's stdin and stdout and the gateway. Raises Misconfigured.

    What is not given is read from MANDATE_URL and MANDATE_TOKEN: they belong to a client, and are no settings of ours.
    """
    token = token_file.read_text() if token_file else os.environ.get("MANDATE_TOKEN", "")
    if not token.strip():
        raise Misconfigured("Set MANDATE_TOKEN to the agent's key, or name a file that holds it with --token-file.")
    where = url or os.environ.get("MANDATE_URL") or usual_url
    Bridge(where, Secret(token.strip()), sys.stdout.buffer).run(sys.stdin.buffer)


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Misconfigured("The gateway's address begins with http:// or https://, e.g. http://127.0.0.1:8000.")
    return parts if parts.path.strip("/") else parts._replace(path="/mcp")


def _connection(where: SplitResult) -> http.client.HTTPConnection:
    host = where.hostname or ""
    if where.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, where.port, timeout=None, context=context)
    return http.client.HTTPConnection(host, where.port, timeout=None)


def _answers(answer: http.client.HTTPResponse) -> Iterator[Message]:
    """One message, each of a stream's, or none where nothing is owed."""
    if answer.headers.get_content_type() == _EVENTS:
        for line in answer:
            if line.startswith(b"data:") and (event := _read(line[5:])) is not None:
                yield event
        return
    body = answer.read()
    message = _read(body) if body.strip() else None
    if message is not None:
        yield message
    elif answer.status >= http.HTTPStatus.BAD_REQUEST:
        yield _error(None, UNREACHABLE, f"The gateway answered with HTTP {answer.status}.")


def _read(line: bytes) -> Message | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _error(name: object, code: int, message: str) -> Message:
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}
