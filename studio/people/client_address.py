"""The address that a request comes from, also behind proxies that the operator trusts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")
"""Some proxies write the client's port as well: `192.0.2.1:40123`, `[2001:db8::1]:40123`."""
IPV6_PREFIX = 64
"""One subscriber has at least a /64 and can use any of its addresses, so these count as one."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the addresses and networks in `text`, separated by commas or spaces.

    Raise ImproperlyConfigured for others.
    """
    try:
        return tuple(ip_network(part) for part in re.split(r"[\s,]+", text) if part)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"TRUSTED_PROXIES: write addresses or networks, such as 10.0.0.5 or 10.0.0.0/8 ({error})."
        ) from None


def find_client_address(request: HttpRequest) -> str | None:
    """Return the client's address, or None for a connection without one (a unix socket).

    Each proxy adds the address it was called from at the end of X-Forwarded-For. So the list is read from its
    end for as long as a trusted proxy wrote it; what a client sent itself is further to the left.
    """
    client = parse_address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while client and forwarded and is_trusted(client, settings.TRUSTED_PROXIES):
        before = parse_address(forwarded.pop())
        if before is None:
            break
        client = before
    return str(merge_subscriber(client)) if client else None


def parse_address(text: str) -> Address | None:
    bare = text.strip()
    found = PORT.fullmatch(bare)
    try:
        address = ip_address((found["six"] or found["four"]) if found else bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in network for network in proxies)


def merge_subscriber(address: Address) -> Address:
    if address.version == 4:
        return address
    return ip_network((int(address), IPV6_PREFIX), strict=False).network_address
