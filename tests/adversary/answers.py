"""Answers that lie in good HTTP: look-ups that deny, pages that miscount, envelopes that say two things.

Each line: who says what, the exit code, and what comes of it on every engine. Truth is `+1 ~1 -1`; `-0` is a removal not believed.
"""
# ruff: noqa: E501 - an attack is a line

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.adversary.attack import ALL, KEPT, NOTHING, Attack
from tests.adversary.server import (
    AFTER,
    BEFORE,
    HONEST,
    always,
    body,
    found,
    looked_up,
    page,
    spoilt,
    swap,
    until_then,
)
from tests.builders import record
from tests.hostile import Reply, Request, as_json, catalog, failure, faulty, html, one_after_another, success

if TYPE_CHECKING:
    from tests.hostile import Script

NGINX = html(404)
DETAIL = as_json({"detail": "Not Found"}, status=404)
GIBBERISH = Reply(b"\x1f\x8bnone", 404, (("content-encoding", "gzip"),))
RESTING = failure(404, 404, "The service is under maintenance, come back later")
NONE = success([], 0)
DENIED = failure(404, 404, "no such template")


def denying(request: Request) -> Reply:
    """Deny in words that quote the id asked for."""
    return failure(404, 404, f"template {request.query['template_id']} does not exist")


def quoting(request: Request) -> Reply:
    """Find what is there, and deny the rest in words that quote the id."""
    reply = HONEST(request)
    return reply if request.page or b"TemplateId" in reply.body else denying(request)


def counting_all(request: Request) -> Reply:
    """Say in every answer, look-ups included, how many templates the catalog has."""
    return Reply(HONEST(request).body.replace(b'"total": 0', b'"total": 12').replace(b'"total": 1,', b'"total": 12,'))


def inventing(request: Request) -> Reply:
    """Find whatever is asked for."""
    return HONEST(request) if request.page else found(request.query["template_id"])


LOOK_UPS = [
    Attack("look-ups: honest", HONEST, 0, ALL),
    Attack("look-ups: total 1 and an empty list, whatever is asked", always(success([], 1)), 76, KEPT),
    Attack("look-ups: nginx's 404, whatever is asked", always(NGINX), 76, KEPT),
    Attack("look-ups: a framework's 404, whatever is asked", always(DETAIL), 76, KEPT),
    Attack("look-ups: a 404 that cannot be decoded, whatever is asked", always(GIBBERISH), 76, KEPT),
    Attack("look-ups: a 404 that speaks of maintenance, whatever is asked", always(RESTING), 76, KEPT),
    Attack("look-ups: an empty list, whatever is asked", always(NONE), 76, KEPT),
    Attack("look-ups: every id is denied", always(DENIED), 76, KEPT),
    Attack("look-ups: every id is denied, and quoted", looked_up(DENIED, DENIED, denying), 76, KEPT),
    Attack("look-ups: nginx's 404 for what is gone and what cannot be", looked_up(NGINX), 76, KEPT),
    Attack("look-ups: a framework's 404 for what is gone and what cannot be", looked_up(DETAIL), 76, KEPT),
    Attack("look-ups: an undecodable 404 for what is gone and what cannot be", looked_up(GIBBERISH), 76, KEPT),
    Attack("look-ups: 410 for what is gone and what cannot be", looked_up(failure(410, 410)), 76, KEPT),
    Attack("look-ups: 422 for what is gone and what cannot be", looked_up(failure(422, 422)), 76, KEPT),
    Attack("look-ups: nginx's 404 for what is gone only", looked_up(NGINX, DENIED), 0, KEPT),
    Attack("look-ups: a framework's 404 for what is gone only", looked_up(DETAIL, DENIED), 0, KEPT),
    Attack("look-ups: maintenance for what is gone only", looked_up(RESTING, DENIED), 0, KEPT),
    Attack("look-ups: an empty list for what is gone only", looked_up(NONE, DENIED), 0, KEPT),
    Attack("look-ups: 404 for what is gone, an empty list for what cannot be", looked_up(DENIED, NONE), 0, KEPT),
    Attack("look-ups: total 5 and an empty list for what is gone only", looked_up(success([], 5), NONE), 0, KEPT),
    Attack("look-ups: total 1 and an empty list for what is gone and what cannot be", looked_up(success([], 1)), 76, KEPT),
    Attack("look-ups: another message for what is gone", looked_up(failure(404, 404, "hidden today"), DENIED), 0, KEPT),
    Attack("look-ups: other templates for what is gone", looked_up(found("11"), DENIED), 0, KEPT),
    Attack("look-ups: the whole catalog, whatever is asked", always(success(AFTER)), 76, KEPT),
    Attack("look-ups: a record is made up for any id", inventing, 76, KEPT),
    Attack("look-ups: the template is there after all", looked_up(found("12", Title_en="Number 12"), DENIED), 0, KEPT),
    Attack("look-ups: it is there twice", looked_up(success([record("12", Title_en="Number 12")] * 2), DENIED), 0, KEPT),
    Attack("look-ups: it is there, and cannot be read", looked_up(found("12", Title=5), DENIED), 0, f"{KEPT}, 1 rejected"),
    Attack("look-ups: its id became a number", looked_up(success([record("12", TemplateId=12)]), DENIED), 0, f"{KEPT}, 1 rejected"),
    Attack("look-ups: 404 around the template", looked_up(replace(found("12"), status=404), DENIED), 0, KEPT),
    Attack("look-ups: 401", always(failure(401)), 76, KEPT),
    Attack("look-ups: 429", always(failure(429)), 0, KEPT),
    Attack("look-ups: 455", always(failure(455)), 0, KEPT),
    Attack("look-ups: 500", always(failure(500)), 0, KEPT),
    Attack("look-ups: never answered", always(Reply(hold=30)), 75, NOTHING, (("deadline", 1.0),)),
    Attack("look-ups: HTTP 500 around a denial", always(failure(404, 500)), 0, KEPT),
    Attack("look-ups: the first is found, the rest are denied", until_then(1, always(NONE)), 76, KEPT),
    Attack("look-ups: the service breaks after its controls", until_then(3, always(NONE)), 76, KEPT),
    Attack("look-ups: the id is quoted in the denial", quoting, 0, ALL),
    Attack("look-ups: they count the whole catalog", counting_all, 0, ALL),
    Attack("look-ups: 404 in the body under HTTP 200", looked_up(failure(404)), 0, ALL),
    Attack("look-ups: HTTP 404 around an empty list", looked_up(replace(NONE, status=404)), 0, ALL),
]  # fmt: skip


def counted(*totals: int) -> Script:
    """Say another total on each page."""
    return lambda request: success(AFTER[(request.page - 1) * 4 : request.page * 4], totals[min(request.page, 4) - 1])


def turned(request: Request) -> Reply:
    """Serve the last page where the first is asked for, and so on."""
    return Reply(page(4 - request.page)) if 0 < request.page < 4 else HONEST(request)


def overlapping(request: Request) -> Reply:
    """Begin each page with the last record of the one before: five pages instead of three."""
    start = (request.page - 1) * 3
    return success(AFTER[start : start + 4], 12) if request.page else HONEST(request)


def drifting(request: Request) -> Reply:
    """Lose a record between the first page and the second."""
    return success(AFTER[(request.page - 1) * 5 : (request.page - 1) * 5 + 4], 12) if request.page else HONEST(request)


INTEGERS = catalog([{**each, "TemplateId": int(each["TemplateId"])} for each in BEFORE])


def renamed(form: str) -> Script:
    """Serve the catalog under ids that are written otherwise."""
    return catalog([{**each, "TemplateId": form.format(each["TemplateId"])} for each in BEFORE])


WALKS = [
    Attack("walk: the last page first", turned, 0, ALL),
    Attack("walk: pages that overlap", overlapping, 0, ALL),
    Attack("walk: pages that lose a record in between", drifting, 76, "+1 ~1 -0"),
    Attack("walk: a total that counts down", counted(12, 11, 10, 9), 76, KEPT),
    Attack("walk: total 0 on the last page", counted(12, 12, 0, 0), 76, KEPT),
    Attack("walk: total 1, and twelve templates", counted(1, 1, 1, 1), 76, KEPT),
    Attack("walk: total 10^12", counted(*[10**12] * 4), 76, KEPT),
    Attack("walk: total 12.0", swap(b'"total": 12', b'"total": 12.0'), 0, ALL),
    Attack("walk: total 1.2e1", swap(b'"total": 12', b'"total": 1.2e1'), 0, ALL),
    Attack("walk: total 12.5", swap(b'"total": 12', b'"total": 12.5'), 76, KEPT),
    Attack("walk: total true", swap(b'"total": 12', b'"total": true'), 76, KEPT),
    Attack("walk: total NaN", swap(b'"total": 12', b'"total": NaN'), 76, KEPT),
    Attack("walk: total of 5,000 digits", swap(b'"total": 12', b'"total": ' + b"9" * 5000), 76, KEPT),
    Attack("walk: total 1e999999999", swap(b'"total": 12', b'"total": 1e999999999'), 76, KEPT),
    Attack("walk: a million templates, all pages empty", one_after_another(success([], 10**6)), 76).ends("incomplete"),
    Attack("walk: pages without end", lambda request: success([record("1", Title_en="Number 1")], 10**11 + request.page), 76).ends("incomplete"),
    Attack("walk: every id became a number", INTEGERS, 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id got a leading zero", renamed("0{}"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id got a space", renamed("{} "), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id got a no-break space", renamed("\u00a0{}"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every id got a zero-width space", renamed("{}\u200b"), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: records of another endpoint", catalog([{"id": n, "name": "job"} for n in range(12)]), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: no record is an object", catalog(list(range(12))), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: every record lost its title's type", catalog([{**each, "Title": []} for each in AFTER]), 76, f"{NOTHING}, 12 rejected"),
    Attack("walk: nothing, nowhere", catalog([]), 4, NOTHING),
    Attack("walk: ten thousand records on a page", spoilt(lambda _body: body(["x"] * 10_001)), 76, NOTHING),
]  # fmt: skip

RAW = json.dumps(AFTER[:4]).encode()
ENVELOPES = [
    Attack("envelope: code 200.0", swap(b'"code": 200', b'"code": 200.0'), 0, ALL),
    Attack("envelope: code as a string", swap(b'"code": 200', b'"code": "200"'), 76),
    Attack("envelope: code true", swap(b'"code": 200', b'"code": true'), 76),
    Attack("envelope: no code", swap(b'"code": 200, ', b""), 76),
    Attack("envelope: code 0", swap(b'"code": 200', b'"code": 0'), 76),
    Attack("envelope: code -200", swap(b'"code": 200', b'"code": -200'), 76),
    Attack("envelope: code of 5,000 digits", swap(b'"code": 200', b'"code": ' + b"2" * 5000), 76),
    Attack("envelope: two codes", swap(b'"code": 200', b'"code": 401, "code": 200'), 0, ALL),
    Attack("envelope: two codes, one spelt with an escape", swap(b'"code": 200', b'"c\\u006fde": 401, "code": 200'), 0, ALL),
    Attack("envelope: two lists", swap(b'"templates": ', b'"templates": [], "templates": '), 0, ALL),
    Attack("envelope: two lists, the second empty", spoilt(lambda content: content[:-2] + b', "templates": []}}'), 76).ends("incomplete"),
    Attack("envelope: data twice", spoilt(lambda content: content[:-1] + b', "data": {"total": 0, "templates": []}}'), 4, "+0 ~1 -0"),
    Attack("envelope: two totals", swap(b'"total": 12', b'"total": 0, "total": 12'), 0, ALL),
    Attack("envelope: data is a list", one_after_another(as_json({"code": 200, "data": AFTER})), 76),
    Attack("envelope: data is null", one_after_another(as_json({"code": 200, "data": None})), 76),
    Attack("envelope: templates is an object", one_after_another(as_json({"code": 200, "data": {"total": 1, "templates": {"1": {}}}})), 76),
    Attack("envelope: templates is a string", one_after_another(as_json({"code": 200, "data": {"total": 1, "templates": "[]"}})), 76),
    Attack("envelope: a bare list", one_after_another(as_json(AFTER)), 76),
    Attack("envelope: a bare null", one_after_another(as_json(None)), 76),
    Attack("envelope: nothing", one_after_another(Reply(b"")), 76),
    Attack("envelope: the same list once more, elsewhere", spoilt(lambda content: b'{"cache": %s, %s' % (content[content.index(b"["):-2], content[1:])), 0, ALL),
    Attack("envelope: an error's list beside success", spoilt(lambda content: content[:-1] + b', "errors": ["x"]}'), 0, ALL),
    Attack("envelope: an error in words only", swap(b'"success"', b'"under maintenance (455)"'), 0, ALL),
    Attack("envelope: written on many lines", spoilt(lambda content: json.dumps(json.loads(content), indent=7).replace("\n", "\r\n").encode()), 0, ALL),
    Attack("envelope: NaN beside the data", spoilt(lambda content: content[:-1] + b', "took": NaN}'), 0, ALL),
    Attack("envelope: bytes that are not UTF-8 in the message", swap(b'"success"', b'"\xff\xfe"'), 0, ALL),
    Attack("envelope: a megabyte of message", swap(b'"success"', b'"' + b"x" * 2**20 + b'"'), 0, ALL),
    Attack("envelope: 100,000 brackets beside the data", spoilt(lambda content: content[:-1] + b', "x": %s%s}' % (b"[" * 10**5, b"]" * 10**5)), 0, ALL),
    Attack("envelope: 500,000 values beside the data", spoilt(lambda content: content[:-1] + b', "x": [%s1]}' % (b"1," * 5 * 10**5)), 76),
    Attack("envelope: something follows it", spoilt(lambda content: content + b"{}"), 76),
    Attack("envelope: it stands twice", spoilt(lambda content: content * 2), 76),
    Attack("envelope: a guard before it", spoilt(lambda content: b")]}',\n" + content), 76),
    Attack("envelope: a trailing comma", spoilt(lambda content: content[:-1] + b",}"), 76),
    Attack("envelope: a comment", spoilt(lambda content: b"/* cached */" + content), 76),
    Attack("envelope: single quotes", spoilt(lambda content: content.replace(b'"', b"'")), 76),
    Attack("envelope: a refusal with a page in it", swap(b'"code": 200', b'"code": 401'), 77),
    Attack("envelope: maintenance with a page in it", swap(b'"code": 200', b'"code": 455'), 75),
    Attack("envelope: 404 with a page in it", swap(b'"code": 200', b'"code": 404'), 76),
    Attack("envelope: HTTP 201", lambda request: replace(HONEST(request), status=201), 76),
    Attack("envelope: HTTP 206", lambda request: replace(HONEST(request), status=206), 76),
    Attack("envelope: HTTP 418", lambda request: replace(HONEST(request), status=418), 76),
    Attack("envelope: only the second page lies", faulty(HONEST, {2: Reply(body([], 12, code=200))}), 76, "+1 ~1 -0"),
]  # fmt: skip

STORED = [*LOOK_UPS, *WALKS]
"""What is stored of them matters: every engine in turn. Envelopes are refused, or read, before any database is asked."""
