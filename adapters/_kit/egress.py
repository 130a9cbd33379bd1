"""Where Mandate may connect to: public addresses and what the operator has listed, nothing else.

No URL, name, redirect or DNS answer makes the gateway open a connection into the operator's own network.
This rests on one rule, applied to the very address a socket is about to connect to, whatever the URL said
and whatever a name resolved to a moment earlier. The shape of the URL is checked before that, so that a
mistake is refused early.

A refusal names the kind of address, never the address: a caller must not learn what an internal name
resolves to.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class EgressRefused(PermissionError):
    """This gateway does not connect there.

    `reason` is a few words of ours, safe to log and to show: no address, no part of the URL. It is an
    `OSError`, so that clients treat it like any other connection that could not be made.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Egress:
    """The policy: everything public over https, and the operator's exceptions.

    `allow_networks` opens whole networks, except the metadata services of clouds, which hand out
    credentials; `allow_addresses` opens exact sockets, those included. With `allow_http` plain http is
    possible as well, but only to what those two lists name: a credential never crosses the public network
    in the clear.
    """

    allow_networks: tuple[Network, ...] = ()
    allow_addresses: frozenset[tuple[Address, int]] = frozenset()
    allow_http: bool = False

    @classmethod
    def allowing(cls, *, networks: Iterable[str] = (), sockets: Iterable[str] = (), http: bool = False) -> "Egress":
        """A policy from words such as `10.1.0.0/16` and `127.0.0.1:8080`, `[::1]:8080`. Raises ValueError
        for others.
        """
        return cls(tuple(ip_network(each) for each in networks), frozenset(map(_socket_of, sockets)), http)

    def refusal(self, address: str | Address, port: int, *, plain: bool = False) -> str | None:
        """Why a socket may not connect there, or None when it may. `plain` means without TLS."""
        found = _parsed(address)
        if found is None:
            return "not a plain address"
        if self._listed(found, port):
            return None
        if plain:
            return "plain http is only for addresses the operator has listed"
        return not_public(found)

    def check(self, address: str | Address, port: int, *, plain: bool = False) -> None:
        """Like `refusal`, but raises EgressRefused."""
        if reason := self.refusal(address, port, plain=plain):
            raise EgressRefused(reason)

    def admit(self, text: str) -> "URL":
        """The URL, normalised, when its shape and any address written in it are allowed; else EgressRefused.

        A name passes here and is judged by the addresses it resolves to.
        """
        url = _well_formed(text)
        plain = url.scheme == "http"
        if url.scheme != "https" and not (plain and self.allow_http):
            raise EgressRefused("only https is allowed")
        literal = _literal(url.raw_host or "")
        if literal is not None:
            self.check(literal, url.port or 0, plain=plain)
        return url

    def _listed(self, address: Address, port: int) -> bool:
        if (address, port) in self.allow_addresses:
            return True
        if address in METADATA:
            return False
        return any(address in network for network in self.allow_networks if network.version == address.version)


def is_address(host: str) -> bool:
    """Whether a host is written as an address, and not as a name."""
    return _read(host) is not None


def not_public(address: Address) -> str | None:
    """Why an address is not on the public internet, or None when it is.

    Sources: the IANA special-purpose address registries (RFC 6890). IPv6 is judged the other way round:
    only 2000::/3 has ever been given out (RFC 4291), so all else is refused.
    """
    if address in METADATA:
        return "metadata service"
    if isinstance(address, IPv4Address):
        return _first(_NOT_PUBLIC_4, address)
    if (meant := _unwrapped(address)) is not address:
        return not_public(meant)
    if reason := _first(_NOT_PUBLIC_6, address):
        return reason
    return None if address in _GIVEN_OUT_6 else "reserved address"


METADATA: Final = frozenset(
    ip_address(each)
    for each in (
        "169.254.169.254",  # AWS, Azure, GCP, DigitalOcean, OpenStack, Oracle
        "169.254.170.2",  # AWS containers
        "169.254.170.23",  # AWS EKS pod identity
        "169.254.42.42",  # Scaleway
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS pod identity
        "fd20:ce::254",  # GCP
        "fd00:42::42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, older
        "168.63.129.16",  # Azure's host, a public address that is answered inside
    )
)

_NOT_PUBLIC_4: Final = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified address"),
        ("10.0.0.0/8", "private address"),
        ("100.64.0.0/10", "carrier-grade NAT address"),
        ("127.0.0.0/8", "loopback address"),
        ("169.254.0.0/16", "link-local address"),
        ("172.16.0.0/12", "private address"),
        ("192.0.0.0/24", "reserved address"),
        ("192.0.2.0/24", "documentation address"),
        ("192.88.99.0/24", "6to4 relay address"),
        ("192.168.0.0/16", "private address"),
        ("198.18.0.0/15", "benchmarking address"),
        ("198.51.100.0/24", "documentation address"),
        ("203.0.113.0/24", "documentation address"),
        ("224.0.0.0/4", "multicast address"),
        ("240.0.0.0/4", "reserved address"),
    )
)

_NOT_PUBLIC_6: Final = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified address"),
        ("::1/128", "loopback address"),
        ("::/96", "IPv4-compatible address"),
        (
            "64:ff9b:1::/48",
            "local NAT64 address",
        ),  # RFC 8215: where the IPv4 part sits is the operator's choice
        ("2001::/32", "Teredo address"),
        ("2001::/23", "reserved address"),
        ("2001:db8::/32", "documentation address"),
        ("3fff::/20", "documentation address"),
        ("fc00::/7", "private address"),
        ("fe80::/10", "link-local address"),
        ("fec0::/10", "site-local address"),
        ("ff00::/8", "multicast address"),
    )
)
_GIVEN_OUT_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")

_UNPRINTABLE_OR_BACKSLASH: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_ENDS_IN_A_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")


def _first(table: Iterable[tuple[Network, str]], address: Address) -> str | None:
    return next((reason for network, reason in table if address in network), None)


def _unwrapped(address: IPv6Address) -> Address:
    """The IPv4 address inside an IPv6 one that leads to it, where there is one: it is the one to judge.

    IPv4-mapped (RFC 4291, 2.5.5.2), NAT64's well-known prefix (RFC 6052) and 6to4 (RFC 3056).
    """
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


@lru_cache(maxsize=4096)
def _read(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _parsed(address: str | Address) -> Address | None:
    """The address to judge; None for what is none, and for an address with a zone."""
    found = _read(address) if isinstance(address, str) else address
    if isinstance(found, IPv6Address):
        return None if found.scope_id else _unwrapped(found)
    return found


def _well_formed(text: str) -> "URL":
    from yarl import URL  # at the first call: it costs a start-up 30 ms

    authority = _AUTHORITY.match(text)
    if authority is None or _UNPRINTABLE_OR_BACKSLASH.search(text):
        raise EgressRefused("not a well-formed URL")
    if "@" in authority[1]:
        raise EgressRefused("a URL with user information")
    url = None
    with suppress(ValueError):  # whose text would hold the URL
        url = URL(text)
    if url is None or not _HOST.fullmatch(url.raw_host or "") or url.port == 0:
        raise EgressRefused("not a well-formed URL")
    return url


def _literal(host: str) -> Address | None:
    """The address a host is written as, or None for a name.

    A host that ends in a number is an address to every URL parser and resolver, in octal, hex or short form
    too (WHATWG URL, 3.5); only the plain form passes.
    """
    if ":" not in host and not _ENDS_IN_A_NUMBER.fullmatch(host):
        return None
    found = _read(host)
    if found is None:
        raise EgressRefused("not a plain address")
    return found


def _socket_of(words: str) -> tuple[Address, int]:
    host, colon, port = words.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("a socket is written as address:port")
    found = _parsed(host.removeprefix("[").removesuffix("]"))
    if found is None or not 0 < int(port) < 65536:
        raise ValueError("a socket is written as address:port")
    return found, int(port)
