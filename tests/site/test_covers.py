"""Copies of covers: permitted addresses, accepted images, and when a cover is requested again."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sync.client.network import Network
from sync.config.addresses import is_public
from sync.site.covers import MAX_BYTES, PARALLEL, CoverUnavailable, Fetch, MediaCopier, kind_of
from tests.builders import record, run_with, ticking
from tests.hostile import Hostile, Reply
from tests.site.sites import WEEKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sync.outputs.commands import SiteBuilt
    from tests.site.sites import Site

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize(
    "address",
    [*PUBLIC,
     "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1",  # noqa: S104
     "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "ff02::1",
     "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "fec0::1", "::127.0.0.1", "192.0.0.192", "192.0.0.9",
     "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "2001:0:7f00:1:0:0:80ff:fffe"],
)  # fmt: skip
def test_only_public_addresses_are_permitted(address: str) -> None:
    assert is_public(address) == (address in PUBLIC)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpg"), (b"GIF89a", "gif"), (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
     (b"\0\0\0\x20ftypavif", "avif")],
)  # fmt: skip
def test_the_format_of_an_image_is_detected_by_its_first_bytes(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


@pytest.mark.parametrize("content", [SVG, b"<html>", b"\0\0\0\x20ftypisom", b"", b"\x89PN", PNG + bytes(MAX_BYTES)])
def test_content_that_is_not_an_image_or_too_large_is_not_kept(content: bytes) -> None:
    with pytest.raises(CoverUnavailable):
        kind_of(content)


@contextmanager
def fetching(reply: Reply, **options: Any) -> Iterator[tuple[Callable[[], bytes], Hostile]]:
    with Hostile(lambda _request: reply) as server:
        fetch = Fetch(Network(), **{"allowed": lambda _address: True, **options})
        yield lambda: fetch.ask(f"{server.url}/cover.png"), server


def test_a_cover_is_requested_without_the_key() -> None:
    with fetching(Reply(PNG)) as (ask, server):
        assert ask() == PNG
    (request,) = server.requests
    assert [name for name in ("x-api-key", "cookie", "referer") if name in request.headers] == []


def test_a_private_address_gets_no_request() -> None:
    with fetching(Reply(PNG), allowed=is_public) as (ask, server), pytest.raises(CoverUnavailable, match="not a public one"):
        ask()
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "why"),
    [(Reply(b"", status=302, headers=(("Location", "http://127.0.0.1:1/"),)), "the answer was 302"),
     (Reply(b"", status=404), "404")],
)  # fmt: skip
def test_a_redirect_is_not_followed_and_an_error_page_is_not_a_cover(reply: Reply, why: str) -> None:
    with fetching(reply) as (ask, server), pytest.raises(CoverUnavailable, match=why):
        ask()
    assert len(server.requests) == 1


def test_a_cover_over_plain_http_is_not_requested() -> None:
    with pytest.raises(CoverUnavailable, match="plain https"):
        Fetch(Network())("http://media.example/cover.png")


def covered(template_id: str, name: str, signature: str = "a") -> dict[str, Any]:
    return record(template_id, Cover=f"https://media.example/{name}?x-signature={signature}", PreviewVideo=None)


def test_the_number_of_concurrent_requests_for_covers_is_limited(site: Site) -> None:
    together = threading.Barrier(PARALLEL, timeout=30)
    now, most, counting = 0, 0, threading.Lock()

    def get(_url: str) -> bytes:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
        together.wait()  # no request is answered before eight are open
        with counting:
            now -= 1
        return PNG

    steps: list[tuple[int, int]] = []
    run_with([covered(f"{n}", f"c{n}") for n in range(3 * PARALLEL)], site.engine)
    built = site.build(copy_media=MediaCopier(get, progress=lambda *step: steps.append(step)))

    assert (built.covers, most) == (3 * PARALLEL, PARALLEL)
    assert steps == [(done, 3 * PARALLEL) for done in range(1, 3 * PARALLEL + 1)]


def test_a_host_that_hangs_delays_a_build_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.site.covers.SLOW", 0.2)
    requests: list[str] = []

    def get(url: str) -> bytes:
        requests.append(url)
        if "//media.example/" in url:
            threading.Event().wait(0.3)
            raise CoverUnavailable("no response within the deadline")
        return PNG

    others = [{**covered(f"9{n}", ""), "Cover": f"https://other.example/{n}"} for n in range(3)]
    run_with([*(covered(f"{n}", f"c{n}") for n in range(5 * PARALLEL)), *others], site.engine)
    built = site.build(copy_media=MediaCopier(get))

    assert (built.covers, built.covers_missing) == (3, 5 * PARALLEL)
    assert len(requests) <= 2 * PARALLEL + 3


def test_fast_failures_of_a_host_do_not_exclude_its_other_covers(site: Site) -> None:
    def get(url: str) -> bytes:
        if "/gone" in url:
            raise CoverUnavailable("the answer was 403")
        return PNG

    gone = [covered(f"{n}", f"gone{n}") for n in range(3 * PARALLEL)]
    run_with([*gone, covered("98", "c98"), covered("99", "c99")], site.engine)
    built = site.build(copy_media=MediaCopier(get))

    assert (built.covers, built.covers_missing) == (2, 3 * PARALLEL)


def test_a_slow_failure_of_a_host_that_responds_does_not_exclude_its_other_covers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.site.covers.PARALLEL", 2)
    monkeypatch.setattr("sync.site.covers.SLOW", 0.0)
    slow_began, next_is_requested = threading.Event(), threading.Event()

    def get(url: str) -> bytes:
        if "/slow" in url:
            slow_began.set()
            next_is_requested.wait(30)
            raise CoverUnavailable("no complete response within the deadline")
        slow_began.wait(30)
        if "/c1" in url:  # by the thread that copied c0
            next_is_requested.set()
        return PNG

    run_with([covered("0", "slow"), *(covered(f"{n + 1}", f"c{n}") for n in range(3))], site.engine)
    built = site.build(copy_media=MediaCopier(get))

    assert (built.covers, built.covers_missing) == (3, 1)


def test_a_cover_is_copied_once_for_all_signatures_and_again_when_its_path_changes(site: Site) -> None:
    pictures = {"one": PNG, "two": PNG + b"2", "evil": SVG}
    requests: list[str] = []

    def get(url: str) -> bytes:
        requests.append(url)
        return pictures[url.partition("?")[0].rpartition("/")[2]]

    def build_after(week: int, *catalog: dict[str, Any]) -> SiteBuilt:
        run_with(catalog, site.engine, clock=ticking(WEEKS[week]))
        requests.clear()
        return site.build(copy_media=MediaCopier(get))

    built = build_after(0, covered("1", "one"), covered("2", "evil"))
    (copy,) = (site.folder / "media").iterdir()
    assert (copy.suffix, copy.read_bytes()) == (".png", PNG)
    assert f'src="media/{copy.name}"' in site.text("index.html")
    assert f"../media/{copy.name}" in site.text("templates/1.html")
    assert "https://media.example/evil?x-signature=a" in site.text("templates/2.html")
    assert (built.covers, built.covers_missing) == (1, 1)

    build_after(1, covered("1", "one", "b"), covered("2", "evil", "b"))
    assert requests == ["https://media.example/evil?x-signature=b"]  # which may have become an image

    build_after(2, covered("1", "two"), covered("2", "two"))
    assert requests == ["https://media.example/two?x-signature=a"]  # one request for both
    assert site.build(copy_media=MediaCopier(get)).written == 0

    site.build()
    assert "media/" not in site.text("index.html")
