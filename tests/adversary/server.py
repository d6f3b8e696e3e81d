"""Responses of a hostile server, as bytes that `tests.hostile.Hostile` sends unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sync.forms.form import Form
from tests.builders import record
from tests.hostile import Reply, Request, catalog, success

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.hostile import Script

SIZE = 4
"""Records on a page."""
BEFORE = [record(str(number), Title_en=f"Number {number}") for number in range(1, 13)]
"""The catalog in the database before every attack: three pages of four."""
AFTER = [*BEFORE[:10], record("11", Title_en="changed"), record("13", Title_en="Number 13")]
"""The true catalog during the attack: 12 is removed, 11 changed, 13 is new."""
HONEST = catalog(AFTER)

_LINE = (
    '{"template_id": "%s", "media_id": "7642552612302307355", "service_id": "217677058", "title": "战斗游戏", "title_en": "%s", '
    '"cover_url": "https://media.example/cover.jpeg?x-expires=1&x-signature=a", "cover_aspect_ratio": "9:16", '
    '"preview_video_url": "https://media.example/preview.mp4", "duration_ms": 10123, "template_type": "BEGIN_END_FRAME", '
    '"input_requirement": "SINGLE_PERSON", "input_num": 1, "released_at": "2026-05-22T03:37:31Z", '
    '"consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], '
    '"tags": [{"name": "🔥Seedance2.0模型", "name_en": "🔥Seedance2.0 Model"}, {"name": "热门", "name_en": "Trending"}], '
    '"aspect_ratios": ["9:16", "1:1"], "extra": {}}\n'
)


def exported(rows: str) -> bytes:
    """Return the output of `export` after a run with these changes; `+1 ~1 -1` are all of them."""
    titles = {str(number): f"Number {number}" for number in range(1, 14)}
    if "+1" not in rows:
        del titles["13"]
    if "-1" in rows:
        del titles["12"]
    if "~1" in rows:
        titles["11"] = "changed"
    return "".join(with_form_hash(_LINE % (key, titles[key])) for key in sorted(titles)).encode()


def with_form_hash(line: str) -> str:
    """Add `form_hash` to a line of `export`."""
    return f'{line[:-2]}, "form_hash": "{Form(json.loads(line)).hash}"}}\n'


def body(records: Sequence[Any], total: Any = 12, **more: Any) -> bytes:
    """Write an answer's body; `more` goes into the envelope."""
    return json.dumps({"code": 200, "message": "success", "data": {"total": total, "templates": list(records)}, **more}).encode()


def page(number: int) -> bytes:
    """Write the honest body of one page."""
    return body(AFTER[(number - 1) * SIZE : number * SIZE])


def http(*lines: str | bytes, end: str = "close") -> Reply:
    """Send a head of these lines, a bytes line being the body and the last; nothing is added, not even a length."""
    content = lines[-1] if isinstance(lines[-1], bytes) else b""
    head = [line for line in lines if isinstance(line, str)]
    return Reply(raw="\r\n".join([*head, "", ""]).encode("latin-1") + content, end=end)


def sized(content: bytes, *headers: str, status: str = "200 OK", version: str = "HTTP/1.1", end: str = "keep") -> Reply:
    """Send a body with its right length, under headers of the attacker's choice."""
    return http(f"{version} {status}", *headers, f"content-length: {len(content)}", content, end=end)


def spoilt(change: Callable[[bytes], bytes], script: Script = HONEST) -> Script:
    """Change the honest body of every page; look-ups stay honest."""

    def changed(request: Request) -> Reply:
        reply = script(request)
        return Reply(change(reply.body)) if request.page else reply

    return changed


def swap(old: bytes, new: bytes) -> Script:
    """Replace these bytes in every page."""

    def change(content: bytes) -> bytes:
        assert old in content, "the page does not contain these bytes"
        return content.replace(old, new)

    return spoilt(change)


def looked_up(gone: Reply, impossible: Reply | None = None, known: Callable[[Request], Reply] = HONEST) -> Script:
    """Serve valid pages; send these replies to look-ups of 12 (removed), of an impossible id, and of present templates."""

    def script(request: Request) -> Reply:
        wanted = request.query.get("template_id")
        if wanted == "12":
            return gone
        if wanted is not None and len(wanted) > len("12"):
            return gone if impossible is None else impossible
        return known(request) if wanted is not None else HONEST(request)

    return script


def always(reply: Reply) -> Script:
    """Serve valid pages, and send one reply to every look-up."""
    return looked_up(reply, reply, lambda _request: reply)


def until_then(honest: int, script: Script) -> Script:
    """Send valid replies to the first look-ups, then those of the other script."""
    look_ups = 0

    def turning(request: Request) -> Reply:
        nonlocal look_ups
        look_ups += request.page == 0
        return (HONEST if request.page or look_ups <= honest else script)(request)

    return turning


def found(template_id: str, **changes: Any) -> Reply:
    """Reply to a look-up with one record."""
    return success([record(template_id, **changes)])
