"""Who may ask: the names that this server goes by, other sites' pages, the token, and how often.

A browser on the network can be led here by any page that it shows.  The Host check keeps out a page whose own name was
made to point here (DNS rebinding), the check of Sec-Fetch-Site and Origin one that posts a form.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
import socket
import time
from urllib.parse import urlsplit

from flask import Flask, Response, after_this_request, request
from werkzeug.exceptions import Forbidden, HTTPException, TooManyRequests, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from ..runtime import GlyphliteError
from ..runtime.errors import how_to_install
from .config import Config

OPEN = {"health.get_healthz", "health.get_readyz", "static"}  # want no token, and count for no rate: they tell nothing
CLOCK_SLACK_S = 1.0  # by which the clock may go back unnoticed
CORS_MAX_AGE = 600  # seconds for which a browser remembers that it may ask


class Misdirected(HTTPException):
    """The request's Host is no name of this server (RFC 9110, 15.5.20)."""

    code = 421


def guard(app: Flask, config: Config) -> None:
    """Let the app check each request before anything of its body is read.

    Raises GlyphliteError where a name of `hosts` can be none, and where a rate limit is wanted and the library limits
    is missing or does not understand it.
    """
    if config.proxies:
        count = config.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=count
        )
    names = {"localhost", *(name.lower() for name in own_names()), *map(ascii_name, (config.host, *config.hosts))}

    def check_host() -> None:
        name = _host_name(request.environ.get("HTTP_HOST", ""))
        if "*" not in names and not is_address(name) and name not in names:
            raise Misdirected(f"Host {name!r:.80}; wanted this server's address or a name that `hosts` lists")

    def check_site() -> None:
        """Only what answers a GET may be asked by another site's page."""
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        origin = request.headers.get("Origin")
        if origin in config.origins:
            return
        site = request.headers.get("Sec-Fetch-Site")
        foreign = (
            site in ("cross-site", "same-site") if site else origin not in (None, f"{request.scheme}://{request.host}")
        )
        if foreign:
            raise Forbidden(f"a page of {origin or 'another site'!r:.80}; wanted one of this server's or of `origins`")

    def check_token() -> None:
        if not config.token or request.method == "OPTIONS" or request.endpoint in OPEN:
            return
        given = request.authorization
        brought = "" if given is None else (given.token if given.type == "bearer" else given.password) or ""
        if not hmac.compare_digest(brought.encode(), config.token.encode()):
            raise Unauthorized("wanted `Authorization: Bearer` with the token")

    def challenge(response: Response) -> Response:
        if response.status_code == 401:  # Basic: a browser asks its user, and brings it with all that its page asks
            for kind in ("Bearer", "Basic"):
                response.headers.add("WWW-Authenticate", f'{kind} realm="glyphlite"')
        return response

    for check in (check_host, check_site):
        app.before_request(check)
    if config.rate_limit:  # before the token, so that guesses of it count
        _limit_rate(app, config.rate_limit)
    app.before_request(check_token)
    app.after_request(challenge)
    if config.origins:
        app.after_request(lambda response: _allow_origin(response, config.origins))


def own_names() -> list[str]:
    """What this machine is called in its network; the second as mDNS tells it."""
    name = socket.gethostname()
    return [name, f"{name.partition('.')[0]}.local"]


def ascii_name(name: str) -> str:
    """A host's name as browsers send it and certificates hold it: small letters, those beyond ASCII in punycode.

    Raises GlyphliteError where it can be no host's.
    """
    try:
        found = name.lower().encode("idna").decode("ascii")
    except UnicodeError as error:
        raise GlyphliteError(f"{name!r}; wanted a host's name like pi.example ({error})") from None
    if re.search(r"[\s/@]", found):
        raise GlyphliteError(f"{name!r}; wanted a host's name like pi.example")
    return found


def _limit_rate(app: Flask, limit: str) -> None:
    try:
        from limits import parse_many
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter
    except ImportError:
        raise GlyphliteError(f"rate_limit wants limits: {how_to_install('limit')}") from None
    try:
        rates = sorted(parse_many(limit))
    except ValueError:
        raise GlyphliteError(f"rate_limit {limit!r}; wanted one like 60/minute or 10/second;500/hour") from None
    if any(rate.amount < 1 for rate in rates):
        raise GlyphliteError(f"rate_limit {limit!r}; wanted one request or more")
    storage, ahead = MemoryStorage(), _wall_ahead()
    counts = FixedWindowRateLimiter(storage)

    def check_rate() -> None:
        nonlocal ahead
        if request.endpoint in OPEN:
            return
        if _wall_ahead() < ahead - CLOCK_SLACK_S:  # set back: its windows would end as much later
            storage.reset()
        ahead = _wall_ahead()
        address = request.remote_addr or ""
        passed = next((rate for rate in rates if not counts.hit(rate, address)), None)
        if passed is None:
            return
        seconds = max(1, math.ceil(counts.get_window_stats(passed, address).reset_time - time.time()))

        @after_this_request
        def tell(response: Response) -> Response:
            response.headers["Retry-After"] = str(seconds)
            return response

        raise TooManyRequests(f"more than {passed}; wanted none for {seconds} s")

    app.before_request(check_rate)


def _wall_ahead() -> float:
    """Seconds by which the wall clock, in which limits are counted, is ahead of one that nobody sets."""
    return time.time() - time.monotonic()


def _allow_origin(response: Response, origins: tuple[str, ...]) -> Response:
    origin = request.headers.get("Origin", "")
    response.vary.add("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Max-Age"] = str(CORS_MAX_AGE)
    return response


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; '' where there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Whether a host is called by its IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
