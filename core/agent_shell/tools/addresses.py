"""Which addresses are not of the public network."""

from __future__ import annotations

import ipaddress

__all__ = ["is_private", "sounds_private"]

# Of a network's own, or what once was; Python takes some of them for public.
_OWN = [ipaddress.ip_network(one) for one in ("64:ff9b:1::/48", "fec0::/10", "::/96", "5f00::/16")]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PRIVATE_ENDS = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet")


def is_private(address: str) -> bool:
    """Whether it is this machine, its network or nobody's; also where one is within another."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True  # what is not understood is not trusted
    if isinstance(found, ipaddress.IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if any(found in network for network in _OWN):
            return True
        if found in _NAT64:
            inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        if any(one is not None and is_private(str(one)) for one in inner):
            return True
        if found.ipv4_mapped is not None:
            return False
    return not found.is_global or found.is_multicast


def sounds_private(host: str) -> bool:
    """Whether a name says so by itself: it is not looked up."""
    host = host.casefold().rstrip(".").strip("[]")
    if host == "localhost" or host.endswith(_PRIVATE_ENDS) or ("." not in host and ":" not in host):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return is_private(host)
