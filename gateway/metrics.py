"""Figures for Prometheus: what came in, what became of it, and how much of the time was ours.

Made only when the operator has set a token for `/metrics`; without one nothing is counted. Labels hold words of our
own, never a tenant's, a caller's or a service's.
"""

import re
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Incoming, Outgoing
from db.gate import Gate
from db.ledger import PostgresLedger
from db.store import Stores, Tell
from domain.executions import Finish, Finished
from domain.history import Occurrence

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_DOORS: Final = {"/graphql": "graphql", "/graphql/stream": "stream", "/mcp": "mcp"}
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_RULE: Final = re.compile(r"[A-Za-z_:]{1,50}")

#: What services took during the request that is being answered, in seconds.
_upstream: ContextVar["list[float] | None"] = ContextVar("upstream", default=None)


class Insides(Protocol):
    """What is looked at when somebody asks, rather than counted."""

    def gauges(self) -> Iterable[tuple[str, str, float]]:
        """Name, meaning and value of each."""
        ...


class Metrics:
    """One per process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter("mandate_requests", "Requests answered.", ["door", "status"], registry=self._registry)
        self.request_seconds = Histogram(
            "mandate_request_seconds", "Seconds a request took.", ["door"], registry=self._registry, buckets=_BUCKETS
        )
        self.overhead_seconds = Histogram(
            "mandate_overhead_seconds",
            "Seconds a request took that called a service, without those the service took.",
            ["door"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self.upstream_seconds = Histogram(
            "mandate_upstream_seconds",
            "Seconds one call of a service took.",
            ["outcome"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self.executions = Counter(
            "mandate_executions", "Executions by how they ended.", ["status", "code"], registry=self._registry
        )
        self.refusals = Counter(
            "mandate_refusals", "Executions not admitted, by the rule.", ["rule"], registry=self._registry
        )
        ProcessCollector(registry=self._registry)

    def transport(self, egress: Egress, version: str) -> HttpTransport:
        """The way out, timed."""
        transport = MeasuredTransport(egress, version=version)
        transport.metrics = self
        return transport

    def ledger(self, gate: Gate, stores: Stores, tell: Tell) -> PostgresLedger:
        """The record, counted."""
        ledger = MeasuredLedger(gate, stores, tell)
        ledger.metrics = self
        return ledger

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, counted and timed."""
        return MeasuredApp(app, self)

    def watch(self, insides: Insides) -> None:
        """Look there whenever somebody asks."""
        self._registry.register(_Looking(insides))

    def told(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Looking(Collector):
    def __init__(self, insides: Insides) -> None:
        self._insides = insides

    def describe(self) -> Iterable[Metric]:
        """Nothing that could clash: asked for once, when it is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Now."""
        for name, meaning, value in self._insides.gauges():
            yield GaugeMetricFamily(name, meaning, value=value)


class MeasuredApp:
    """Counts and times every request over HTTP. A stream counts when it ends; its length says nothing of our speed."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        door = _DOORS.get(scope["path"], "other")
        spent: list[float] = []
        status = "none"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        token = _upstream.set(spent)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            took = time.perf_counter() - began
            _upstream.reset(token)
            self._metrics.requests.labels(door, status).inc()
            if door != "stream":
                self._metrics.request_seconds.labels(door).observe(took)
            if spent:
                self._metrics.overhead_seconds.labels(door).observe(max(0.0, took - sum(spent)))


class MeasuredTransport(HttpTransport):
    """Times every call of a service."""

    metrics: Metrics

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """As without measuring."""
        began, outcome = time.perf_counter(), "answered"
        try:
            return await super().send(request, total_seconds=total_seconds)
        except Exception as problem:
            outcome = type(problem).__name__
            raise
        finally:
            took = time.perf_counter() - began
            self.metrics.upstream_seconds.labels(outcome).observe(took)
            if (spent := _upstream.get()) is not None:
                spent.append(took)


class MeasuredLedger(PostgresLedger):
    """Counts what became of executions."""

    metrics: Metrics

    async def finish(self, finish: Finish) -> Finished:
        """As without measuring."""
        done = await super().finish(finish)
        if done.position is not None:
            error = finish.outcome.error
            self.metrics.executions.labels(finish.outcome.status.value, error.code if error else "").inc()
        return done

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        """As without measuring."""
        await super().refuse(tenant, occurrence)
        rule = occurrence.reason or ""
        self.metrics.refusals.labels(rule if _RULE.fullmatch(rule) else "other").inc()
