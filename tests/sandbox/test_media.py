"""The sample catalog's pictures: drawn from words, the same every time, and of a form that every browser reads."""

from __future__ import annotations

import struct
import zlib
from urllib.parse import urlsplit

import httpx
import pytest

from sync.sandbox.canvas import Canvas
from sync.sandbox.catalog import make_catalog
from sync.sandbox.media import draw_media
from sync.sandbox.scenery import draw, size_of
from sync.sandbox.server import Sandbox
from sync.sandbox.video import preview

CATALOG = make_catalog(3)


def test_a_picture_is_a_png_whose_pixels_are_those_drawn() -> None:
    canvas = Canvas(3, 2)
    canvas.gradient((10, 20, 30), (10, 20, 30), steps=2)
    canvas.box(1, 0, 2, 1, (200, 0, 0))

    png = canvas.png()

    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">IIBB", png[16:26]) == (3, 2, 8, 3)
    assert canvas.palette == [(10, 20, 30), (200, 0, 0)]
    at = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[at - 4 : at])
    assert zlib.decompress(png[at + 4 : at + 4 + length]) == b"\0\0\1\0" + b"\0\0\0\0"


def test_shapes_end_at_the_edge_of_the_picture_and_a_full_palette_gives_the_nearest_colour() -> None:
    canvas = Canvas(4, 4)
    for number in range(300):
        canvas.disc(-1, 5, 3, (number % 256, number // 256, 0))
    canvas.polygon([(-9, -9), (9, -9), (9, 1), (-9, 1)], (255, 1, 0))

    assert len(canvas.palette) == 256
    assert {len(row) for row in canvas.rows} == {4}
    assert canvas.palette[canvas.rows[0][2]] == (255, 0, 0)


@pytest.mark.parametrize(
    ("ratio", "size"), [("9:16", (90, 160)), ("16:9", (160, 90)), ("1:1", (160, 160)), ("0:0", (90, 160)), (None, (90, 160))]
)
def test_a_cover_has_the_ratio_that_its_template_names(ratio: str | None, size: tuple[int, int]) -> None:
    assert size_of(ratio, 160) == size


def test_the_same_words_are_drawn_alike_and_others_otherwise() -> None:
    first, second = CATALOG[1], CATALOG[2]

    assert draw(first, 160).png() == draw(first, 160).png()
    assert draw(first, 160).png() != draw({**first, "Title_en": second["Title_en"]}, 160).png()


def test_a_preview_begins_with_its_cover_and_moves_it_down_and_up_again() -> None:
    canvas = draw(CATALOG[0], 64, multiple=16)

    video = preview(canvas)

    assert (canvas.width, canvas.height) == (32, 64)
    assert video[4:8] == b"ftyp"
    sizes = struct.unpack(">25I", video[video.index(b"stsz") + 16 :][:100])
    (offset,) = struct.unpack(">I", video[video.index(b"stco") + 12 :][:4])
    samples = [video[offset + sum(sizes[:at]) :][:size] for at, size in enumerate(sizes)]
    assert offset + sum(sizes) == len(video)
    assert [sample[4] & 0x1F for sample in samples] == [5] + [1] * 24  # one whole picture, then movements of it
    assert all(int.from_bytes(sample[:4]) == len(sample) - 4 for sample in samples)
    assert len(samples[0]) > 8 * 384 > 50 > len(samples[1])  # eight macroblocks of 384 samples
    luminance = samples[0][4:][samples[0].index(b"\x0d\x00", 8) - 4 + 2 :][:16]
    red, green, blue = canvas.palette[canvas.rows[0][16]]
    assert luminance[0] == round(16 + 0.257 * red + 0.504 * green + 0.098 * blue)


def test_the_sandbox_serves_what_its_records_name_to_whoever_asks() -> None:
    with Sandbox(CATALOG) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        cover = client.get(urlsplit(CATALOG[1]["Cover"]).path + "?x-signature=other")
        video = client.get(urlsplit(CATALOG[1]["PreviewVideo"]).path)
        nothing = client.get("/api/storage/objects/media/none.jpeg")
        stranger = client.get(urlsplit(CATALOG[1]["Cover"]).path, headers={"Host": "evil.example"})

    assert (cover.status_code, cover.headers["Content-Type"], cover.content) == (200, "image/png", draw(CATALOG[1]).png())
    assert (video.status_code, video.headers["Content-Type"], video.content[4:8]) == (200, "video/mp4", b"ftyp")
    assert nothing.json()["code"] == 404
    assert stranger.json()["code"] == 403


def test_a_record_without_pictures_has_none_to_draw() -> None:
    assert draw_media([{"TemplateId": "1"}, {"Cover": 5}], "/api/storage/a") is None
