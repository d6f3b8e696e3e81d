"""A picture that drifts down and up again, as an MP4 that browsers play: H.264 in its simplest form, in plain Python.

The first frame's macroblocks hold their samples as they are (I_PCM). Every other frame only says by how much the one before it
is moved: five bits a macroblock. Rows that leave the picture come back as the last row repeated, so that should be of one colour.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.sandbox.canvas import Canvas

_BLOCK = 16
_A_SECOND = 12  # frames
_WAY = (1,) * 12 + (-1,) * 12  # pixels, down is positive
_I_PCM = b"\x0d\x00"  # ue(25), filled up with zeros to the byte that the samples begin at


def preview(canvas: Canvas) -> bytes:
    """Write an MP4 of two seconds; both sides of the canvas must be multiples of 16."""
    nals = [_picture(canvas), *(_move(canvas, step, number) for number, step in enumerate(_WAY, 1))]
    return _mp4(canvas, [struct.pack(">I", len(nal)) + nal for nal in nals])


# H.264 --------------------------------------------------------------------------------------------------------------------


def _ue(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _se(value: int) -> str:
    return _ue(2 * value - 1 if value > 0 else -2 * value)


def _nal(kind: int, bits: str) -> bytes:
    """Pack bits behind their unit's header, closed and free of what would look like the beginning of another unit."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8)
    clean, zeros = bytearray([kind]), 0
    for byte in packed:
        if zeros >= 2 and byte <= 3:  # noqa: PLR2004 - the standard's emulation prevention
            clean.append(3)
            zeros = 0
        clean.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(clean)


def _sequence(canvas: Canvas) -> bytes:
    size = _ue(canvas.width // _BLOCK - 1) + _ue(canvas.height // _BLOCK - 1)
    head = f"{66:08b}{0xC0:08b}{30:08b}"  # baseline profile, level 3
    return _nal(0x67, head + _ue(0) + _ue(0) + _ue(2) + _ue(1) + "0" + size + "1" + "1" + "0" + "0")


def _parameters() -> bytes:
    return _nal(0x68, _ue(0) + _ue(0) + "0" + "0" + _ue(0) * 3 + "0" + "00" + _se(0) * 3 + "1" + "0" + "0")


def _picture(canvas: Canvas) -> bytes:
    """Write the first frame, sample by sample. No sample is below 16, so none can look like the beginning of a unit."""
    light, blue, red = _planes(canvas)
    header = _ue(0) + _ue(7) + _ue(0) + "0000" + _ue(0) + "0" + "0" + _se(0) + _ue(1) + _ue(25)
    header += "0" * (-len(header) % 8)
    out = bytearray(b"\x65" + int(header, 2).to_bytes(len(header) // 8))
    half = _BLOCK // 2
    for top in range(0, canvas.height, _BLOCK):
        for left in range(0, canvas.width, _BLOCK):
            if top or left:
                out += _I_PCM
            for row in light[top : top + _BLOCK]:
                out += row[left : left + _BLOCK]
            for plane in (blue, red):
                for row in plane[top // 2 : top // 2 + half]:
                    out += row[left // 2 : left // 2 + half]
    return bytes(out + b"\x80")


def _move(canvas: Canvas, step: int, number: int) -> bytes:
    """Write a frame that is the one before it, `step` pixels lower."""
    header = _ue(0) + _ue(5) + _ue(0) + f"{number % 16:04b}" + "0" + "0" + "0" + _se(0) + _ue(1)
    blocks = (canvas.width // _BLOCK) * (canvas.height // _BLOCK)
    # The first block says how far, in quarters of a pixel; all others move as their neighbours do.
    return _nal(0x41, header + "11" + _se(0) + _se(-4 * step) + "1" + "11111" * (blocks - 1))


def _planes(canvas: Canvas) -> tuple[Sequence[bytearray], Sequence[bytearray], Sequence[bytearray]]:
    """Split the colours into light, and blue and red at half the size, as BT.601 has it."""
    weights = ((16, 0.257, 0.504, 0.098), (128, -0.148, -0.291, 0.439), (128, 0.439, -0.368, -0.071))
    tables = []
    for base, *parts in weights:
        table = [round(base + sum(part * value for part, value in zip(parts, colour, strict=True))) for colour in canvas.palette]
        tables.append(bytes(table + [16] * (256 - len(table))))
    small = [row[::2] for row in canvas.rows[::2]]
    return (
        [row.translate(tables[0]) for row in canvas.rows],
        [row.translate(tables[1]) for row in small],
        [row.translate(tables[2]) for row in small],
    )


# MP4 ----------------------------------------------------------------------------------------------------------------------

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _box(name: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name.encode()) + content


def _full(name: str, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def _mp4(canvas: Canvas, samples: Sequence[bytes]) -> bytes:
    count = len(samples)
    kind = _box("ftyp", b"isom", struct.pack(">I", 512), b"isomavc1")
    sequence, parameters = _sequence(canvas), _parameters()
    decoder = _box(
        "avcC", bytes([1, *sequence[1:4], 0xFF, 0xE1]), struct.pack(">H", len(sequence)), sequence,
        b"\x01", struct.pack(">H", len(parameters)), parameters,
    )  # fmt: skip
    entry = _box(
        "avc1", bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", canvas.width, canvas.height),
        struct.pack(">IIIH", 0x480000, 0x480000, 0, 1), bytes(32), struct.pack(">Hh", 24, -1), decoder,
    )  # fmt: skip

    def table(offset: int) -> bytes:
        return _box(
            "stbl",
            _full("stsd", struct.pack(">I", 1), entry),
            _full("stts", struct.pack(">III", 1, count, 1)),
            _full("stss", struct.pack(">II", 1, 1)),
            _full("stsc", struct.pack(">IIII", 1, 1, count, 1)),
            _full("stsz", struct.pack(f">II{count}I", 0, count, *map(len, samples))),
            _full("stco", struct.pack(">II", 1, offset)),
        )

    def index(offset: int) -> bytes:
        times = struct.pack(">IIII", 0, 0, _A_SECOND, count)
        media = _box(
            "mdia",
            _full("mdhd", times, struct.pack(">HH", 0x55C4, 0)),
            _full("hdlr", bytes(4), b"vide", bytes(12), b"\0"),
            _box("minf", _full("vmhd", bytes(8), flags=1),
                 _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1))), table(offset)),
        )  # fmt: skip
        track = _full("tkhd", struct.pack(">IIIII", 0, 0, 1, 0, count), bytes(16), _MATRIX,
                      struct.pack(">II", canvas.width << 16, canvas.height << 16), flags=3)  # fmt: skip
        head = _full("mvhd", times, struct.pack(">IH", 0x10000, 0x100), bytes(10), _MATRIX, bytes(24), struct.pack(">I", 2))
        return _box("moov", head, _box("trak", track, media))

    offset = len(kind) + len(index(0)) + 8
    return kind + index(offset) + _box("mdat", *samples)
