"""Getting a page: what is asked, what is bounded, and what its text is."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from agent_shell.tools import Approval, Gate, Mode, Policy, Result, Toolset
from agent_shell.tools.addresses import is_private, sounds_private
from agent_shell.tools.page_text import page_text
from agent_shell.tools.web import FetchTool
from support_tools import Answers

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A real server on loopback that gives fixed answers, and keeps what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            answer = self.answers.get(head.split()[1], page("nothing here", status="404 Not Found"))
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def site(
    answers: dict[str, Answer], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    made = Site(answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def page(
    body: str | bytes, kind: str = "text/plain", status: str = "200 OK", more: str = ""
) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}"
    return f"{head}\r\n".encode() + data


def moved(url: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


class Fetch:
    """The tool alone; every name is looked up as loopback, and is kept."""

    def __init__(self, *answers: Approval, mode: Mode = Mode.ASK) -> None:
        self.approver = Answers(*(answers or (Approval.once(),)))
        self.looked_up: list[str] = []
        tool = FetchTool(self._resolve)
        self.tools = Toolset([tool], Gate(Policy(mode), self.approver))

    async def _resolve(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        return ["127.0.0.1"]

    async def __call__(self, url: str) -> Result:
        return await self.tools.call("fetch", {"url": url})

    @property
    def asked(self) -> list[str]:
        return [asked.subject for asked in self.approver.asked]


async def test_a_page_is_got_after_a_question_with_its_url():
    """And is given as text."""
    async with site({"/a?b=c": page("hello")}) as there:
        fetch = Fetch()
        result = await fetch(there.url("/a?b=c#part"))
        assert (result.ok, result.text) == (True, "hello")
        assert fetch.asked == [there.url("/a?b=c")]
        assert fetch.approver.asked[0].sensitive  # a private address


async def test_what_is_denied_is_not_even_looked_up():
    """A name that is looked up tells somebody something by itself."""
    fetch = Fetch(Approval.deny())
    result = await fetch("https://what-i-know.example/")
    assert not result.ok
    assert fetch.looked_up == []


async def test_a_public_name_with_a_private_address_is_asked_again():
    """With the address, and allowed for this URL alone."""
    async with site({"/": page("inner")}) as there:
        fetch = Fetch(Approval.always(), Approval.deny())
        result = await fetch(there.url(host="public.example"))
        assert not result.ok
        assert there.heads == []
        first, second = fetch.approver.asked
        assert first.pattern == f"fetch http://public.example:{there.port}/*"
        assert second.sensitive
        assert "public.example is 127.0.0.1" in second.note
        assert second.pattern == f"fetch {there.url(host='public.example')}"


async def test_the_address_that_was_looked_at_is_connected_to():
    """The name is looked up once: another answer a moment later does not count."""
    async with site({"/": page("hello")}) as there:
        fetch = Fetch()
        assert (await fetch(there.url(host="public.example"))).text == "hello"
        assert fetch.looked_up == ["public.example"]
        assert f"Host: public.example:{there.port}\r\n" in there.heads[0]


async def test_a_proxy_of_the_environment_is_asked_for_the_page(monkeypatch):
    """By the host's name; the question says so, without the password, and is of its own kind."""
    async with site({"http://public.example/a": page("by proxy")}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:hush-hush@127.0.0.1:{proxy.port}")
        fetch = Fetch(Approval.always(), Approval.once())
        assert (await fetch("http://public.example/a")).text == "by proxy"
    first, second = fetch.approver.asked
    assert first.pattern == "fetch:proxy http://public.example/*"
    assert f"by the proxy 127.0.0.1:{proxy.port}, which looks the host up" in first.note
    assert "hush" not in first.note
    assert "Proxy-Authorization: Basic" in proxy.heads[0]
    assert second.sensitive, "it is a private address as seen from here"


async def test_a_private_address_is_asked_behind_a_proxy_too(monkeypatch):
    """As its name tells it, or as it is looked up here; denied, nothing is sent."""
    async with site({}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        fetch = Fetch(Approval.always(), Approval.deny(), Approval.deny())
        assert not (await fetch("http://public.example/")).ok
        assert not (await fetch("http://10.0.0.1/")).ok
    assert proxy.heads == []
    assert [asked.sensitive for asked in fetch.approver.asked] == [False, True, True]


async def test_what_only_the_proxy_can_look_up_is_up_to_it(monkeypatch):
    """Many networks tell the names of the world to the proxy alone."""

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("not known")

    async with site({"http://far.example/": page("by proxy")}) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"127.0.0.1:{proxy.port}")
        approver = Answers(Approval.once())
        tools = Toolset([FetchTool(unknown)], Gate(Policy(Mode.ASK), approver))
        assert (await tools.call("fetch", {"url": "http://far.example/"})).text == "by proxy"


async def test_https_goes_through_the_proxy_by_name(monkeypatch):
    """It is told where to, and what it refuses is said."""
    async with site({"far.example:443": page("no", status="403 Not You")}) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        result = await Fetch(mode=Mode.ALL)("https://far.example/")
    assert proxy.heads[0].startswith("CONNECT far.example:443")
    assert not result.ok
    assert "403" in result.text


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [("127.0.0.1", ""), ("localhost", ""), ("in.example", "example"), ("in.example", "*")],
)
async def test_this_machine_and_what_no_proxy_names_are_reached_directly(
    host: str, no_proxy: str, monkeypatch
):
    """By the address that was looked at, as without a proxy."""
    async with site({"/": page("direct")}) as there:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", no_proxy)
        assert (await Fetch(mode=Mode.ALL)(there.url(host=host))).text == "direct"


async def test_a_proxy_that_there_is_nothing_for_is_said(monkeypatch):
    """Without its password."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://me:hush-hush@far.example")
    result = await Fetch(mode=Mode.ALL)("http://public.example/")
    assert "the proxy far.example can't be used" in result.text
    assert "hush" not in result.text


async def test_a_redirection_to_another_host_is_asked():
    """A denial there gives nothing of it."""
    answers: dict[str, Answer] = {}
    async with site({"/": page("the target")}) as target, site(answers) as there:
        answers["/"] = moved(target.url())
        fetch = Fetch(Approval.once(), Approval.deny("not there"))
        result = await fetch(there.url())
        assert result.text == f"reaching {target.url()} was denied: not there"
        assert fetch.asked == [there.url(), target.url()]
        assert target.heads == []


async def test_a_redirection_on_the_same_host_is_followed():
    """What was allowed is this host."""
    async with site({"/": moved("/b"), "/b": page("b")}) as there:
        fetch = Fetch()
        assert (await fetch(there.url())).text == "b"
        assert fetch.asked == [there.url()]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/y", "gopher://x", "//user:p@x/"])
async def test_a_redirection_to_what_is_no_page_is_refused(target):
    """As if it had been asked for at first."""
    async with site({"/": moved(target)}) as there:
        result = await Fetch()(there.url())
        assert not result.ok
        assert "fetched" in result.text


async def test_redirections_without_end_are_refused():
    """After a few."""
    async with site({"/": moved("/")}) as there:
        result = await Fetch()(there.url())
        assert "more than 5 redirections" in result.text
        assert len(there.heads) == 6


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://x.example/", "x.example/path", "http://", "http://user:pw@x.example/",
     "javascript:alert(1)", "http://[::1", "http://x:99999/", "data:text/plain,x"],
)  # fmt: skip
async def test_what_is_no_url_of_a_page_is_refused_without_a_question(url):
    """And without a look-up."""
    fetch = Fetch()
    assert not (await fetch(url)).ok
    assert (fetch.asked, fetch.looked_up) == ([], [])


async def test_an_error_page_is_told_with_its_status():
    """It is not `ok`, and its text is given."""
    async with site({}) as there:
        result = await Fetch()(there.url("/no"))
        assert (result.ok, result.text) == (False, f"[404 {there.url('/no')}]\nnothing here")


async def test_what_is_no_text_is_refused():
    """By its type."""
    async with site({"/": page(b"\x89PNG", "image/png")}) as there:
        assert "is image/png: no text" in (await Fetch()(there.url())).text


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def test_a_server_that_streams_for_ever_is_cut():
    """At the bound, and that is said."""
    async with site({"/": endless}) as there:
        result = await Fetch()(there.url())
        assert result.ok
        assert "only the first 2,097,152 bytes" in result.text
        assert len(result.text) < 110_000


async def test_a_little_that_unpacks_to_a_great_deal_is_cut():
    """No more of it than is wanted is ever in memory."""
    packed = gzip.compress(b"x" * 50_000_000)
    async with site({"/": page(packed, more="Content-Encoding: gzip\r\n")}) as there:
        result = await Fetch()(there.url())
        assert "only the first 2,097,152 bytes" in result.text


async def test_what_is_packed_is_unpacked():
    """Or said to be broken."""
    packed = gzip.compress(b"hello")
    answers: dict[str, Answer] = {
        "/": page(packed, more="Content-Encoding: gzip\r\n"),
        "/parts": page(packed + gzip.compress(b" there"), more="Content-Encoding: gzip\r\n"),
        "/more": page(packed + b"\0\0\0", more="Content-Encoding: gzip\r\n"),
        "/cut": page(packed[:-10], more="Content-Encoding: gzip\r\n"),
        "/none": page(b"", more="Content-Encoding: gzip\r\n"),
        "/broken": page(b"not packed", more="Content-Encoding: gzip\r\n"),
        "/other": page(b"x", more="Content-Encoding: br\r\n"),
    }
    async with site(answers) as there:
        assert (await Fetch()(there.url())).text == "hello"
        assert (await Fetch()(there.url("/parts"))).text == "hello there"
        assert (await Fetch()(there.url("/more"))).text == "hello"
        assert (await Fetch()(there.url("/none"))).text == "[empty]"
        assert "ended before it was whole" in (await Fetch()(there.url("/cut"))).text
        assert "not packed as it says" in (await Fetch()(there.url("/broken"))).text
        assert "packed as br" in (await Fetch()(there.url("/other"))).text


async def test_a_server_that_is_silent_is_given_up(monkeypatch):
    """After a bounded time, also if it says a letter now and then."""
    monkeypatch.setattr("agent_shell.tools.web._TIME_S", 0.5)

    async def slow(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with site({"/": slow}) as there:
        assert "took longer than 0.5 s" in (await Fetch()(there.url())).text


async def test_certificates_are_those_that_the_environment_names(tmp_path, monkeypatch):
    """As of a company's own authority; without it, nobody vouches for the server."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    async with site({"/": page("hello")}, tls=context) as there:
        url = there.url(host="localhost").replace("http:", "https:")
        assert "CERTIFICATE_VERIFY_FAILED" in (await Fetch()(url)).text
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert "SSL_CERT_FILE or SSL_CERT_DIR names can't be read" in (await Fetch()(url)).text
        authority.cert_pem.write_to_path(trusted)
        assert (await Fetch()(url)).text == "hello"


async def test_a_cut_connection_and_nobody_there_are_told():
    """By what the library says of it."""
    async with site(
        {"/": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", "/x": b"garbage"}
    ) as there:
        for path in ("/", "/x"):
            result = await Fetch()(there.url(path))
            assert not result.ok
            assert "could not be got" in result.text
        gone = there.url()
    assert "could not be got" in (await Fetch()(gone)).text


async def test_a_cancellation_closes_the_connection():
    """At once."""
    closed = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        begun.set()
        with contextlib.suppress(OSError):
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0)
        closed.set()

    begun = asyncio.Event()
    async with site({"/": wait}) as there:
        fetching = asyncio.ensure_future(Fetch()(there.url()))
        await begun.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await closed.wait()


async def test_the_text_is_decoded_as_it_says():
    """But by no encoding that is none of pages."""
    answers: dict[str, Answer] = {
        "/latin": page("café".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        "/alias": page("café".encode("latin-1"), "text/plain; charset=latin1"),
        "/page": page(b"<meta charset='windows-1252'>caf\xe9", "Text/HTML"),
        "/odd": page("café", "text/plain; charset=punycode"),
        "/json": page('{"a": 1}', "application/problem+json"),
    }
    async with site(answers) as there:
        assert (await Fetch()(there.url("/latin"))).text == "café"
        assert (await Fetch()(there.url("/alias"))).text == "café"
        assert (await Fetch()(there.url("/page"))).text == "café"
        assert (await Fetch()(there.url("/odd"))).text == "café"
        assert (await Fetch()(there.url("/json"))).text == '{"a": 1}'


async def test_a_page_is_given_as_its_text():
    """Without what is not to be read."""
    body = "<title>T</title><script>x < y</script><h1>Hi  there</h1><p>a &amp; b"
    async with site({"/": page(body, "text/html; charset=utf-8")}) as there:
        assert (await Fetch()(there.url())).text == "T\n\n# Hi there\n\na & b"


def test_the_text_of_a_page():
    """Blocks are lines; links say where they lead; what is written with spaces keeps them."""
    assert page_text(
        "<p>one <b>two</b>\nthree<br>four<ul><li>a<li><a href='https://x.example/y'>b</a></ul>"
        "<pre>def f():\n    pass</pre><table><tr><td>1<td>2</table>1 < 2<!-- no --> &lt;end"
    ) == (
        "one two three\nfour\n\n- a\n- b <https://x.example/y>\n\ndef f():\n    pass\n\n"
        "| 1 | 2\n1 < 2 <end"
    )


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<![CDATA[", "<a href=", "&#32;", "<i> </i>", "<a x='", "<script>", "&", "<br>",
     "</", "<a " + " " * 500 + ">", "&#" + "9" * 5_000 + ";", "<pre>", "<script></script",
     "<a href='" + "x" * 1_999],
)  # fmt: skip
def test_a_large_page_of_one_piece_is_done(piece):
    """Whatever it is made of: what took its size squared would not come to an end here."""
    page = piece * (300_000 // len(piece))
    assert len(page_text(page)) <= len(page)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
     "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "64:ff9b:1::1", "fec0::1", "::127.0.0.1", "no address"],
)  # fmt: skip
def test_private_addresses_are_known(address):
    """Also within others."""
    assert is_private(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_known(address):
    """These are asked as their host alone."""
    assert not is_private(address)


@pytest.mark.parametrize(
    ("host", "private"),
    [("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("printer.local", True),
     ("intranet", True), ("127.0.0.1", True), ("[::1]", True), ("::1", True),
     ("example.org", False), ("93.184.216.34", False), ("metadata.google.internal", True)],
)  # fmt: skip
def test_some_names_tell_by_themselves(host, private):
    """Without being looked up."""
    assert sounds_private(host) is private
