"""Covers and previews of the sample catalog are served by the sandbox, under the same URLs on any port."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit

import httpx

import sync.sandbox
from sync.sandbox.catalog import Record, make_catalog
from sync.sandbox.media_files import read_media
from sync.sandbox.server import ENDPOINT, SANDBOX_KEY, Sandbox
from tests.command_line import of_sandbox, template_sync

CATALOG = make_catalog(60)
FOLDER = Path(sync.sandbox.__file__).parent / "media"


def media_of(record: Record, field: str) -> tuple[str, bytes]:
    found = read_media(urlsplit(record[field]).path)
    assert found is not None
    return found


def free_port() -> int:
    sandbox = Sandbox([])
    sandbox.stop()
    return sandbox.port


def get(port: int, path: str, host: str = "127.0.0.1") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host, "Connection": "close"}, trust_env=False)


def test_each_template_has_a_cover_of_its_aspect_ratio_and_a_preview() -> None:
    for record in make_catalog():
        media_type, cover = media_of(record, "Cover")
        assert (media_type, cover[:4], cover[8:16]) == ("image/webp", b"RIFF", b"WEBPVP8 ")
        width, height = struct.unpack("<HH", cover[26:30])
        across, down = map(int, record["CoverAspectRatio"].split(":"))
        assert abs(width / height - across / down) < 0.01
        media_type, preview = media_of(record, "PreviewVideo")
        assert (media_type, preview[4:12]) == ("video/mp4", b"ftypisom")


def test_the_files_are_small_and_each_is_used_by_a_template() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert sum(files.values()) <= 400_000
    named = {Path(urlsplit(record[field]).path).name for record in make_catalog(1000) for field in ("Cover", "PreviewVideo")}
    assert named == set(files)


def test_the_sandbox_serves_them_without_a_key_to_loopback_names_only() -> None:
    path = urlsplit(CATALOG[1]["Cover"]).path
    with Sandbox(CATALOG) as sandbox:
        head = httpx.head(f"http://127.0.0.1:{sandbox.port}{path}", trust_env=False)
        cover = get(sandbox.port, f"{path}?signature=other")
        nothing = [get(sandbox.port, path).json()["code"] for path in ("/media/none.webp", "/media/", "/media/../server.py")]
        posted = httpx.post(f"{sandbox.url}{path}", trust_env=False).status_code
        rebound = get(sandbox.port, path, host="evil.example")
    assert (cover.headers["Content-Type"], cover.content) == media_of(CATALOG[1], "Cover")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(cover.content)), b"")
    assert (nothing, posted) == ([404, 404, 404], 404)
    assert rebound.json()["code"] == 403


def test_a_browser_can_request_a_range_of_the_preview() -> None:
    _, preview = media_of(CATALOG[1], "PreviewVideo")
    size = len(preview)
    ranges = {
        "bytes=0-1": (206, f"bytes 0-1/{size}", preview[:2]),
        "bytes=100-": (206, f"bytes 100-{size - 1}/{size}", preview[100:]),
        "bytes=100-999999999": (206, f"bytes 100-{size - 1}/{size}", preview[100:]),
        **dict.fromkeys((f"bytes={size}-", "bytes=9-3", "bytes=-5", "bytes=0-1,3-4", "lines=1-2", ""), (200, None, preview)),
    }
    with Sandbox(CATALOG) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        for byte_range, expected in ranges.items():
            served = client.get("/media/preview.mp4", headers={"Range": byte_range})
            assert (served.status_code, served.headers.get("Content-Range"), served.content) == expected, byte_range
            assert served.headers["content-type"] == "video/mp4"
            assert served.headers["content-length"] == str(len(expected[2]))


def test_sandboxes_share_the_port_of_the_media_and_any_may_stop() -> None:
    port, path = free_port(), urlsplit(CATALOG[1]["PreviewVideo"]).path
    with Sandbox(CATALOG, media_port=port) as one:
        with Sandbox(CATALOG, media_port=port) as other:
            assert (one.serves_media, other.serves_media, one.port != other.port) == (True, True, True)
            assert [get(port, path).status_code for _ in range(8)] == [200] * 8
        assert get(port, path).status_code == 200
        api = httpx.get(f"http://127.0.0.1:{port}{ENDPOINT}", headers={"x-api-key": SANDBOX_KEY}, trust_env=False)
        assert api.json() == {"code": 404, "message": "The requested resource or endpoint does not exist"}


def test_the_api_is_served_if_another_program_has_the_port_of_the_media() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Sandbox(CATALOG, media_port=taken.getsockname()[1]) as sandbox:
        assert sandbox.serves_media is False
        assert get(sandbox.port, "/sandbox").json()["media"] == "http://127.0.0.1:8456/media/"


def test_the_same_catalog_from_another_port_is_no_change(tmp_path: Path) -> None:
    with Sandbox(CATALOG) as one, Sandbox(CATALOG) as other:
        for sandbox, added in ((one, 60), (other, 0)):
            done = json.loads(template_sync("run", "--json", folder=tmp_path, variables=of_sandbox(sandbox)).out)
            assert (done["added"], done["changed"], done["removed"]) == (added, 0, 0)
