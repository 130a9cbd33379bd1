"""No way inside: however an address is written, only what is public or listed by the operator is reached."""

# ruff: noqa: RUF001, S104 - odd letters and odd addresses are the point

import asyncio
import random
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from adapters._kit.egress import METADATA, Egress, EgressRefused, not_public
from adapters._kit.http import Caps, HttpTransport, NotSent, Outgoing, Timeouts
from tests.adapters.kit.hostile import TLS, Hostile, Visit, hostile, ok

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1:a00:0:100::",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c::f5ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fdff::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "2001:4860:4860::8888%eth0",
    "127.1",
    "0177.0.0.1",
    "localhost",
    "",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.0.1",
    "223.255.255.255",
    "140.82.121.4",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
]

# Hosts that lead to 127.0.0.1 or to another address inside, as URLs write them; {port} is the listener's.
URLS_INSIDE = [
    "{}://127.0.0.1:{port}/",
    "{}://127.0.0.1.:{port}/",
    "{}://127.1:{port}/",
    "{}://127.0.1:{port}/",
    "{}://127:{port}/",
    "{}://0:{port}/",
    "{}://0.0.0.0:{port}/",
    "{}://2130706433:{port}/",
    "{}://02130706433:{port}/",
    "{}://017700000001:{port}/",
    "{}://0177.0.0.1:{port}/",
    "{}://0177.0.0.01:{port}/",
    "{}://00000177.0.0.1:{port}/",
    "{}://127.0.0.0x1:{port}/",
    "{}://0x7f.0.0.1:{port}/",
    "{}://0x7f.1:{port}/",
    "{}://0x7f000001:{port}/",
    "{}://0X7F000001:{port}/",
    "{}://127.0.0.256:{port}/",
    "{}://127.00.00.01:{port}/",
    "{}://4294967295:{port}/",
    "{}://[::1]:{port}/",
    "{}://[::]:{port}/",
    "{}://[0:0:0:0:0:0:0:1]:{port}/",
    "{}://[::ffff:127.0.0.1]:{port}/",
    "{}://[::ffff:7f00:1]:{port}/",
    "{}://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "{}://[::127.0.0.1]:{port}/",
    "{}://[64:ff9b::127.0.0.1]:{port}/",
    "{}://[64:ff9b:1::127.0.0.1]:{port}/",
    "{}://[2002:7f00:1::]:{port}/",
    "{}://[2001:0:7f00:1::]:{port}/",
    "{}://[fe80::1%25lo]:{port}/",
    "{}://[fe80::1%lo]:{port}/",
    "{}://[::1%25lo]:{port}/",
    "{}://localhost:{port}/",
    "{}://localhost.:{port}/",
    "{}://LOCALHOST:{port}/",
    "{}://LocalHost..:{port}/",
    "{}://ⓛocalhost:{port}/",
    "{}://ｌocalhost:{port}/",
    "{}://①②⑦.⓪.⓪.①:{port}/",
    "{}://１２７.0.0.1:{port}/",
    "{}://127。0。0。1:{port}/",
    "{}://127．0．0．1:{port}/",
    "{}://١٢٧.0.0.1:{port}/",
    "{}://127.0.0.1%00:{port}/",
    "{}://127.0.0.1%20:{port}/",
    "{}://%31%32%37.0.0.1:{port}/",
    "{}://127.0.0.1\t:{port}/",
    "{}://127.0.\n0.1:{port}/",
    "{}:/127.0.0.1:{port}/",
    "{}:127.0.0.1:{port}/",
    "{}:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    " {}://127.0.0.1:{port}/",
    "{}://example.com@127.0.0.1:{port}/",
    "{}://example.com:443@127.0.0.1:{port}/",
    "{}://@127.0.0.1:{port}/",
    "{}://example.com%40127.0.0.1:{port}/",
    "{}://example.com\\@127.0.0.1:{port}/",
    "{}://example.com\\.127.0.0.1:{port}/",
    "{}://127.0.0.1:{port}\\@example.com/",
    "{}://127.0.0.1:{port}#@example.com/",
    "{}://127.0.0.1:{port}?@example.com/",
    "{}://[127.0.0.1]:{port}/",
    "{}://[v1.127.0.0.1]:{port}/",
    "{}://metadata.google.internal:{port}/",
    "{}://instance-data:{port}/",
    "{}://inside.example:{port}/",
    "{}://mapped.example:{port}/",
    "{}://nat64.example:{port}/",
    "{}://zone.example:{port}/",
    "{}://nonsense.example:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file://127.0.0.1:{port}/etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "wss://127.0.0.1:{port}/",
    "tcp://127.0.0.1:{port}/",
    "unix://127.0.0.1:{port}/",
    "http+unix://127.0.0.1:{port}/",
]

ZONE = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1", "::1"],
    "metadata.google.internal": ["169.254.169.254", "fd20:ce::254"],
    "instance-data": ["169.254.169.254"],
    "inside.example": ["10.0.0.1", "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::127.0.0.1"],
    "zone.example": ["fe80::1%lo"],
    "nonsense.example": ["not an address"],
}


class Zone:
    """A resolver with answers of our own; several lists for one name are given out one after the other."""

    def __init__(self, *answers: Sequence[str], **names: Sequence[str]) -> None:
        self.answers = list(answers)
        self.names = {**ZONE, **names}
        self.asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        return self.names.get(host, ["127.0.0.1"])


async def answers_all(visit: Visit) -> None:
    while await visit.request():
        visit.say(ok())


async def refusal_of(transport: HttpTransport, url: str) -> NotSent:
    with pytest.raises(NotSent) as caught:
        await transport.send(Outgoing("GET", url, {"authorization": "Bearer canary"}))
    return caught.value


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert Egress().refusal(address, 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert Egress().refusal(address, 443) is None


def test_at_least_what_the_standard_library_calls_not_global_is_refused() -> None:
    dice = random.Random(20260101)  # noqa: S311
    edges = [f"{first}.{second}.{third}.0" for first in range(256) for second in (0, 64, 128, 255) for third in (0, 2)]
    four = [IPv4Address(dice.getrandbits(32)) for _ in range(2000)] + [IPv4Address(each) for each in edges]
    six = [IPv6Address(dice.getrandbits(128) >> shift) for shift in range(128) for _ in range(20)]
    addresses: list[IPv4Address | IPv6Address] = [*four, *six]
    for address in addresses:
        if not_public(address) is None:
            embedded = not isinstance(address, IPv4Address) and address in ip_network("64:ff9b::/96")
            assert embedded or (address.is_global and not address.is_multicast), address


def test_metadata_services_are_not_opened_by_a_network() -> None:
    wide = Egress.allowing(networks=["0.0.0.0/0", "::/0"])
    assert all(wide.refusal(each, 80) == "metadata service" for each in METADATA)
    assert wide.refusal("::ffff:169.254.169.254", 80) == "metadata service"
    assert wide.refusal("64:ff9b::169.254.169.254", 80) == "metadata service"
    assert Egress.allowing(sockets=["169.254.169.254:80"]).refusal("169.254.169.254", 80) is None


def test_a_listed_network_opens_itself_and_nothing_beside_it() -> None:
    policy = Egress.allowing(networks=["10.1.0.0/16", "fd12::/16"])
    assert policy.refusal("10.1.2.3", 443) is None
    assert policy.refusal("::ffff:10.1.2.3", 443) is None
    assert policy.refusal("fd12::1", 443) is None
    assert policy.refusal("10.2.0.1", 443) == "private address"
    assert policy.refusal("127.0.0.1", 443) == "loopback address"


def test_a_listed_socket_opens_one_port() -> None:
    policy = Egress.allowing(sockets=["127.0.0.1:8080", "[::1]:8081"])
    assert policy.refusal("127.0.0.1", 8080) is None
    assert policy.refusal(ip_address("::1"), 8081) is None
    assert policy.refusal("127.0.0.1", 8081) == "loopback address"
    assert policy.refusal("::1", 8080) == "loopback address"


@pytest.mark.parametrize(
    "words", ["127.0.0.1", "127.0.0.1:", "localhost:80", "127.0.0.1:0", "127.0.0.1:70000", "::1%lo:80"]
)
def test_a_socket_in_other_words_is_not_understood(words: str) -> None:
    with pytest.raises(ValueError, match="address:port"):
        Egress.allowing(sockets=[words])


def test_plain_http_needs_both_the_switch_and_a_listed_address() -> None:
    switched = Egress.allowing(networks=["10.0.0.0/8"], http=True)
    assert switched.refusal("10.0.0.1", 80, plain=True) is None
    assert switched.refusal("8.8.8.8", 80, plain=True)
    assert switched.admit("http://10.0.0.1/").host == "10.0.0.1"
    for policy, url in (
        (Egress(), "http://example.com/"),
        (Egress.allowing(networks=["10.0.0.0/8"]), "http://10.0.0.1/"),
        (switched, "http://8.8.8.8/"),
    ):
        with pytest.raises(EgressRefused):
            policy.admit(url)


def test_a_url_is_normalised_but_its_escapes_stay() -> None:
    admit = Egress().admit
    assert (
        str(admit("HTTPS://Bücher.Example/a%2F..%2Fb?q=a%20b+c%2Bd"))
        == "https://xn--bcher-kva.example/a%2F..%2Fb?q=a%20b+c%2Bd"
    )
    assert str(admit("https://①.①.①.①/")) == "https://1.1.1.1/"


@pytest.mark.parametrize("shape", URLS_INSIDE)
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_no_url_reaches_a_listener_inside(shape: str, scheme: str) -> None:
    async with hostile(answers_all) as server:
        policy = Egress.allowing(networks=["192.168.77.0/24"], http=True)
        async with HttpTransport(policy, version="0", tls=TLS, resolver=Zone()) as transport:
            failure = await refusal_of(transport, shape.format(scheme, port=server.port))
        assert failure.code == "refused_address"
        assert isinstance(failure.__cause__, EgressRefused)
        assert server.connections == 0


async def test_the_operating_systems_localhost_is_refused_too() -> None:
    async with hostile(answers_all) as server, HttpTransport(Egress(), version="0", tls=TLS) as transport:
        failure = await refusal_of(transport, f"https://localhost:{server.port}/")
        assert (failure.code, server.connections) == ("refused_address", 0)


async def test_a_name_that_changes_its_mind_is_judged_at_every_connection() -> None:
    async with hostile(answers_all) as server:
        zone = Zone(["127.0.0.1"], ["10.0.0.1"])
        transport = HttpTransport(Egress.allowing(sockets=["10.0.0.1:1"]), version="0", tls=TLS, resolver=zone)
        async with transport:
            for _ in range(4):
                failure = await refusal_of(transport, f"https://rebind.example:{server.port}/")
                assert failure.code == "refused_address"
        assert zone.asked >= 2
        assert server.connections == 0


async def test_of_a_name_with_two_answers_only_the_allowed_one_is_connected_to() -> None:
    async with hostile(answers_all) as server, hostile(answers_all) as other:
        zone = Zone(**{"both.example": ["127.0.0.2", "169.254.169.254", "127.0.0.1", "::1"]})
        policy = Egress.allowing(sockets=[f"127.0.0.1:{server.port}"], http=True)
        async with HttpTransport(policy, version="0", tls=TLS, resolver=zone) as transport:
            answer = await transport.send(Outgoing("GET", f"http://both.example:{server.port}/", {}))
            assert (answer.status, server.connections) == (200, 1)
            failure = await refusal_of(transport, f"http://both.example:{other.port}/")
            assert (failure.code, other.connections) == ("refused_address", 0)


async def test_the_socket_itself_is_refused_when_all_else_is_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's filter is taken out: the last check is made on the address of the socket."""
    from adapters._kit import wire

    async def unfiltered(self: object, host: str, port: int = 0, family: int = 0) -> list[object]:
        return [wire._resolved(host, each, port) for each in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(wire._AllowedAddresses, "resolve", unfiltered)
    async with hostile(answers_all) as server, HttpTransport(Egress(), version="0", tls=TLS) as transport:
        failure = await refusal_of(transport, f"https://fooled.example:{server.port}/")
        assert (failure.code, server.connections) == ("refused_address", 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_handed_back_and_not_followed(status: int) -> None:
    async with hostile(answers_all) as target:

        async def redirects(visit: Visit) -> None:
            await visit.request()
            visit.say(b"HTTP/1.1 %d Go\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, target.url().encode()))

        async with hostile(redirects) as server:
            policy = Egress.allowing(networks=["127.0.0.0/8"], http=True)
            async with HttpTransport(policy, version="0", tls=TLS) as transport:
                answer = await transport.send(Outgoing("GET", server.url(), {"authorization": "Bearer canary"}))
            assert (answer.status, answer.headers["location"]) == (status, target.url())
        assert target.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
async def test_a_proxy_in_the_environment_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hostile(answers_all) as proxy, hostile(answers_all) as server:
        monkeypatch.setenv(name, proxy.url())
        async with HttpTransport(server.allowed, version="0", tls=TLS) as transport:
            assert (await transport.send(Outgoing("GET", server.url(), {}))).status == 200
            assert (await refusal_of(transport, "https://10.0.0.1/")).code == "refused_address"
        assert proxy.connections == 0


async def test_an_allowed_network_connects() -> None:
    async with hostile(answers_all) as server:
        policy = Egress.allowing(networks=["127.0.0.0/8"], http=True)
        async with HttpTransport(policy, version="0", tls=TLS) as transport:
            assert (await transport.send(Outgoing("GET", server.url(), {}))).status == 200
        assert server.connections == 1


async def test_a_refusal_tells_neither_the_address_nor_the_url() -> None:
    async with HttpTransport(Egress(), version="0", tls=TLS, resolver=Zone()) as transport:
        for host in ("inside.example", "127.1", "10.0.0.1", "10.0.0.1:x", "canary@10.0.0.1"):
            link: BaseException | None = await refusal_of(transport, f"https://{host}/path?token=canary")
            while link is not None:
                told = f"{link!r} {link} {link.__context__!r}"
                assert not any(word in told for word in ("canary", "inside", "10.0.0.1", "127.", "path"))
                link = link.__cause__


async def test_a_silent_address_is_given_up_as_not_sent() -> None:
    """A listener whose backlog is full answers no handshake."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        policy = Egress.allowing(sockets=[f"127.0.0.1:{port}"], http=True)
        async with HttpTransport(policy, version="0", tls=TLS, timeouts=Timeouts(connect=0.2)) as transport:
            failure = await refusal_of(transport, f"http://127.0.0.1:{port}/?token=canary")
        for filler in fillers:
            filler.close()
    assert failure.code == "connect_timeout"


async def test_a_full_pool_makes_a_caller_wait_no_longer_than_a_connection_may_take() -> None:
    free = asyncio.Event()

    async def holds(visit: Visit) -> None:
        while await visit.request():
            await free.wait()
            visit.say(ok())

    async with hostile(holds) as server:
        caps, timeouts = Caps(connections_per_host=1), Timeouts(connect=0.2)
        async with HttpTransport(server.allowed, version="0", tls=TLS, caps=caps, timeouts=timeouts) as transport:
            first = asyncio.create_task(transport.send(Outgoing("GET", server.url(), {})))
            await _until_asked(server)
            assert (await refusal_of(transport, server.url())).code == "connect_timeout"
            free.set()
            assert (await first).status == 200
        assert len(server.requests) == 1


async def _until_asked(server: Hostile) -> None:
    while not server.requests:
        await asyncio.sleep(0)
