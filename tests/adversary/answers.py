"""False responses in valid HTTP: look-ups that deny, pages with wrong counts, contradictory envelopes.

Each row: the responses, the exit code, and the changes on every engine. The true changes are `+1 ~1 -1`; `-0` is an unconfirmed removal.
"""
# ruff: noqa: E501 - an attack is a line

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.adversary.attack import (
    AFTER,
    ALL,
    BEFORE,
    CORRECT,
    KEPT,
    NOTHING,
    Attack,
    always,
    body,
    correct_until,
    found,
    looked_up,
    page,
    with_bytes_replaced,
    with_pages_changed,
)
from tests.builders import record
from tests.hostile import Reply, Request, as_json, catalog, failure, faulty, html, one_after_another, success

if TYPE_CHECKING:
    from tests.hostile import Script

NGINX = html(404)
RESTING = failure(404, 404, "The service is under maintenance, come back later")
NONE = success([], 0)
DENIED = failure(404, 404, "no such template")


def denying(request: Request) -> Reply:
    """Deny with a message that quotes the requested id."""
    return failure(404, 404, f"template {request.query['template_id']} does not exist")


def quoting(request: Request) -> Reply:
    """Find present templates, and deny others with a message that quotes the id."""
    reply = CORRECT(request)
    return reply if request.page or b"TemplateId" in reply.body else denying(request)


def counting_all(request: Request) -> Reply:
    """Report the number of templates of the catalog in every response, look-ups included."""
    return Reply(CORRECT(request).body.replace(b'"total": 0', b'"total": 12').replace(b'"total": 1,', b'"total": 12,'))


def inventing(request: Request) -> Reply:
    """Return a record for every id."""
    return CORRECT(request) if request.page else found(request.query["template_id"])


LOOK_UPS = [
    Attack("look-ups: valid responses", CORRECT, 0, ALL),
    Attack("look-ups: total 1 and an empty list, for every id", always(success([], 1)), 76, KEPT),
    Attack("look-ups: the 404 page of nginx, for every id", always(NGINX), 76, KEPT),
    Attack("look-ups: 404 for every id", always(DENIED), 76, KEPT),
    Attack("look-ups: 404 for every id; only some messages quote the id", looked_up(DENIED, DENIED, denying), 76, KEPT),
    Attack("look-ups: the 404 page of nginx for the missing template and an impossible id", looked_up(NGINX), 76, KEPT),
    Attack("look-ups: 422 for the missing template and an impossible id", looked_up(failure(422, 422)), 76, KEPT),
    Attack("look-ups: the 404 page of nginx for the missing template only", looked_up(NGINX, DENIED), 0, KEPT),
    Attack("look-ups: maintenance for the missing template only", looked_up(RESTING, DENIED), 0, KEPT),
    Attack("look-ups: 404 for the missing template, an empty list for an impossible id", looked_up(DENIED, NONE), 0, KEPT),
    Attack("look-ups: total 1 and an empty list for the missing template and an impossible id", looked_up(success([], 1)), 76, KEPT),
    Attack("look-ups: other templates for the missing template", looked_up(found("11"), DENIED), 0, KEPT),
    Attack("look-ups: the whole catalog, for every id", always(success(AFTER)), 76, KEPT),
    Attack("look-ups: an invented record for every id", inventing, 76, KEPT),
    Attack("look-ups: the missing template is found", looked_up(found("12", Title_en="Number 12"), DENIED), 0, KEPT),
    Attack("look-ups: the missing template is found twice", looked_up(success([record("12", Title_en="Number 12")] * 2), DENIED), 0, KEPT),
    Attack("look-ups: the missing template is found with an invalid title", looked_up(found("12", Title=5), DENIED), 0, f"{KEPT}, 1 rejected"),
    Attack("look-ups: the missing template is found with a numeric id", looked_up(success([record("12", TemplateId=12)]), DENIED), 0, f"{KEPT}, 1 rejected"),
    Attack("look-ups: the missing template under HTTP 404", looked_up(replace(found("12"), status=404), DENIED), 0, KEPT),
    Attack("look-ups: 401", always(failure(401)), 76, KEPT),
    Attack("look-ups: 455", always(failure(455)), 0, KEPT),
    Attack("look-ups: no response before the deadline", always(Reply(hold=30)), 75, NOTHING, (("deadline", 1.0),)),
    Attack("look-ups: the first id is found, all others return 404", correct_until(1, always(NONE)), 76, KEPT),
    Attack("look-ups: 404 for every id after the controls", correct_until(3, always(NONE)), 76, KEPT),
    Attack("look-ups: the message of the 404 quotes the id", quoting, 0, ALL),
    Attack("look-ups: total is that of the whole catalog", counting_all, 0, ALL),
    Attack("look-ups: 404 in the body under HTTP 200", looked_up(failure(404)), 0, ALL),
]  # fmt: skip


def counted(*totals: int) -> Script:
    """Report another total on each page."""
    return lambda request: success(AFTER[(request.page - 1) * 4 : request.page * 4], totals[min(request.page, 4) - 1])


def turned(request: Request) -> Reply:
    """Serve the pages in reverse order."""
    return Reply(page(4 - request.page)) if 0 < request.page < 4 else CORRECT(request)


def overlapping(request: Request) -> Reply:
    """Begin each page with the last record of the one before: five pages instead of three."""
    start = (request.page - 1) * 3
    return success(AFTER[start : start + 4], 12) if request.page else CORRECT(request)


def drifting(request: Request) -> Reply:
    """Lose a record between the first page and the second."""
    return success(AFTER[(request.page - 1) * 5 : (request.page - 1) * 5 + 4], 12) if request.page else CORRECT(request)


INTEGERS = catalog([{**each, "TemplateId": int(each["TemplateId"])} for each in BEFORE])


def renamed(form: str) -> Script:
    """Serve the catalog with ids in another form."""
    return catalog([{**each, "TemplateId": form.format(each["TemplateId"])} for each in BEFORE])


WALKS = [
    Attack("walk: pages in reverse order", turned, 0, ALL),
    Attack("walk: pages that overlap", overlapping, 0, ALL),
    Attack("walk: a record is missing between two pages", drifting, 76, "+1 ~1 -0"),
    Attack("walk: total decreases with each page", counted(12, 11, 10, 9), 76, KEPT),
    Attack("walk: total 0 on the last page", counted(12, 12, 0, 0), 76, KEPT),
    Attack("walk: total 1 with twelve templates", counted(1, 1, 1, 1), 76, KEPT),
    Attack("walk: total 10^12", counted(*[10**12] * 4), 76, KEPT),
    Attack("walk: total 12.0", with_bytes_replaced(b'"total": 12', b'"total": 12.0'), 0, ALL),
    Attack("walk: total NaN", with_bytes_replaced(b'"total": 12', b'"total": NaN'), 76, KEPT),
    Attack("walk: a million templates, all pages empty", one_after_another(success([], 10**6)), 76).ends("incomplete"),
    Attack("walk: pages never end", lambda request: success([record("1", Title_en="Number 1")], 10**11 + request.page), 76).ends("incomplete"),
    Attack("walk: every id is a number", INTEGERS, 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id has a leading zero", renamed("0{}"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id has a space", renamed("{} "), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id has a no-break space", renamed("\u00a0{}"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id has a zero-width space", renamed("{}\u200b"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every record is of another endpoint", catalog([{"id": n, "name": "job"} for n in range(12)]), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: no record is an object", catalog(list(range(12))), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every title has an invalid type", catalog([{**each, "Title": []} for each in AFTER]), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: an empty catalog", catalog([]), 4, NOTHING),
    Attack("walk: more than 10,000 records on a page", with_pages_changed(lambda _body: body(["x"] * 10_001)), 76, NOTHING),
]  # fmt: skip

ENVELOPES = [
    Attack("envelope: code 200.0", with_bytes_replaced(b'"code": 200', b'"code": 200.0'), 0, ALL),
    Attack("envelope: code is a string", with_bytes_replaced(b'"code": 200', b'"code": "200"'), 76),
    Attack("envelope: code 0", with_bytes_replaced(b'"code": 200', b'"code": 0'), 76),
    Attack("envelope: two keys `code`", with_bytes_replaced(b'"code": 200', b'"code": 401, "code": 200'), 0, ALL),
    Attack("envelope: two keys `templates`, the second with an empty list", with_pages_changed(lambda content: content[:-2] + b', "templates": []}}'), 76).ends("incomplete"),
    Attack("envelope: two keys `data`", with_pages_changed(lambda content: content[:-1] + b', "data": {"total": 0, "templates": []}}'), 4, "+0 ~1 -0"),
    Attack("envelope: data is null", one_after_another(as_json({"code": 200, "data": None})), 76),
    Attack("envelope: the body is a list", one_after_another(as_json(AFTER)), 76),
    Attack("envelope: the body is empty", one_after_another(Reply(b"")), 76),
    Attack("envelope: the list also under another key", with_pages_changed(lambda content: b'{"cache": %s, %s' % (content[content.index(b"["):-2], content[1:])), 0, ALL),
    Attack("envelope: an error message with code 200", with_bytes_replaced(b'"success"', b'"under maintenance (455)"'), 0, ALL),
    Attack("envelope: NaN next to the data", with_pages_changed(lambda content: content[:-1] + b', "took": NaN}'), 0, ALL),
    Attack("envelope: bytes that are not UTF-8 in the message", with_bytes_replaced(b'"success"', b'"\xff\xfe"'), 0, ALL),
    Attack("envelope: 100,000 nested lists next to the data", with_pages_changed(lambda content: content[:-1] + b', "x": %s%s}' % (b"[" * 10**5, b"]" * 10**5)), 0, ALL),
    Attack("envelope: 500,000 values next to the data", with_pages_changed(lambda content: content[:-1] + b', "x": [%s1]}' % (b"1," * 5 * 10**5)), 76),
    Attack("envelope: more JSON after the object", with_pages_changed(lambda content: content + b"{}"), 76),
    Attack("envelope: code 401 with a valid page", with_bytes_replaced(b'"code": 200', b'"code": 401'), 77),
    Attack("envelope: code 455 with a valid page", with_bytes_replaced(b'"code": 200', b'"code": 455'), 75),
    Attack("envelope: HTTP 206", lambda request: replace(CORRECT(request), status=206), 76),
    Attack("envelope: a valid first page, an empty second page", faulty(CORRECT, {2: Reply(body([], 12, code=200))}), 76, "+1 ~1 -0"),
]  # fmt: skip

STORED = [*LOOK_UPS, *WALKS]
"""Rows that run on every engine. Envelopes are refused or parsed before the database is used."""
