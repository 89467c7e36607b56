"""Which proxy the environment names for a URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["proxy_for", "without_password"]


def proxy_for(url: str) -> str:
    """The proxy's URL, which may have a password in it; "" where it is to be reached directly.

    This machine never is behind one, whatever the environment says: to a proxy, `localhost`
    is another machine.
    """
    # Imported here: it brings more than who fetches nothing should pay.
    from urllib.request import getproxies_environment, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or _is_here(host) or proxy_bypass(parts.netloc):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def without_password(proxy: str) -> str:
    """The proxy as a person may see it: without its password."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def _is_here(host: str) -> bool:
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
