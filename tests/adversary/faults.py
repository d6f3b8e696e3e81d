"""Faults of codes, pages, counts and records in valid HTTP; rows of the table that `test_attacks.py` runs.

Look-ups and envelopes are in `answers.py`, bytes on the wire in `transport.py`. What a run stores of them is alike on every engine.
"""
# ruff: noqa: E501 - a fault is a line

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.adversary.attack import (
    AFTER,
    ALL,
    BEFORE,
    CORRECT,
    KEPT,
    NOTHING,
    SIZE,
    Attack,
    looked_up,
    second_page,
    unreadable_second_page,
    with_pages_changed,
)
from tests.builders import record
from tests.hostile import NO_REPLY, RESET, Reply, Request, catalog, failure, faulty, html, one_after_another, success

if TYPE_CHECKING:
    from tests.hostile import Script

GOOD = success(AFTER[SIZE : 2 * SIZE], 12)
NULL = Reply(b'{"code": 200, "data": {"total": 0, "templates": null}}')
NO_ID = success([record(TemplateId=...)])

CODES = [
    *(second_page(f"code: {code} under HTTP 200", failure(code), 77) for code in (402, 505)),
    *(second_page(f"code: {code} under HTTP 200", failure(code), 76) for code in (299, 422)),
    second_page("code: 429 under HTTP 200", failure(429), 75),
    *(unreadable_second_page(f"code: {code} under HTTP 200", failure(code)) for code in (500, 501)),
    unreadable_second_page("code: a code of 40 digits", failure(10**40)),
    *(unreadable_second_page(f"code: HTTP {code}", html(code)) for code in (408, 500)),
    second_page("code: HTTP 403", html(403), 77),
    second_page("code: HTTP 429", html(429), 75),
    unreadable_second_page("code: HTTP 500 with a valid page", replace(GOOD, status=500)),
    second_page("code: HTTP 404 with a valid page", replace(GOOD, status=404), 76),
    *(Attack(f"code: {code} for page 1", one_after_another(failure(code)), 76) for code in (404, 422)),
    Attack("code: 500 in the body once, then a valid response", faulty(CORRECT, {2: failure(500)}, times=1), 0, ALL),
    Attack("code: a connection reset once, then a valid response", faulty(CORRECT, {2: RESET}, times=1), 0, ALL),
]  # fmt: skip


def served(name: str, code: int, rows: str, **oddities: Any) -> Attack:
    return Attack(name, catalog(AFTER, **oddities), code, rows)


def swapped(request: Request) -> Reply:
    """Serve a catalog in which a template moves, between two pages, from a page not yet read to one already read.

    It moves by page, because parallel requests arrive in any order.
    """
    return catalog(AFTER if (request.page or 1) % 2 else [AFTER[-1], *AFTER[:-1]])(request)


def signed(request: Request) -> Reply:
    """Sign every URL again in every response."""
    return catalog([{**each, "Cover": f"https://media.example/cover.jpeg?sig={request.number}"} for each in AFTER])(request)


PAGES = [
    unreadable_second_page("page: 100,000 nested lists", Reply(b"[" * 100_000)),
    unreadable_second_page("page: no list of templates", Reply(b'{"code": 200, "data": {}}')),
    unreadable_second_page("page: `templates` is null", Reply(b'{"code": 200, "data": {"total": 12, "templates": null}}')),
    unreadable_second_page("page: an empty list", success([], 12)),
    unreadable_second_page("page: an empty list with total 0", success([], 0)),
    unreadable_second_page("page: only two of its four templates", success(AFTER[4:6], 12)),
    unreadable_second_page("page: page 1 in place of page 2", success(AFTER[:4], 12)),
    unreadable_second_page("page: one template of page 1 instead of its records", success([AFTER[0], *AFTER[5:8]], 12)),
    Attack("page: an empty list once, then a valid response", faulty(CORRECT, {2: success([], 12)}, times=1), 0, ALL),
    *(served(f"page: pages after the last are {what}", 0, ALL, past_end=end) for what, end in (
        ("empty", "empty"), ("null", "null"), ("the last page", "last"), ("the first page", "first"), ("404", 404), ("422", 422),
    )),
    served("page: the server returns at most 3 templates per page", 0, ALL, cap=3),
    served("page: the server ignores `page`", 76, NOTHING, ignores_page=True).ends("incomplete"),
    Attack("page: the server ignores `page` and `page_size`", lambda request: success(AFTER) if request.page else CORRECT(request), 0, ALL),
    Attack("page: a template moves during every walk", swapped, 76, KEPT),
    Attack("page: URLs have new signatures in each response", signed, 0, ALL, exact=False),
    Attack("page: the catalog has only one of its twelve templates", catalog([AFTER[10]]), 4, "+0 ~1 -0"),
    *(served(f"total: {name}", 76, KEPT, total=total) for name, total in (
        ("null", None), ("a string", "12"), ("negative", -1), ("10^50", 10**50), ("too low", 7), ("too high", 20),
    )),
    served("total: too high, with 404 for pages after the last", 76, KEPT, total=20, past_end=404),
    served("total: too high, with the last page repeated after the last", 76, KEPT, total=20, past_end="last"),
    served("total: it increases with each response", 76, KEPT, total=lambda request: 12 + request.number),
]  # fmt: skip


def cannot_be(reply: Reply) -> Script:
    """Send this reply for the id that cannot exist; the missing template is denied."""
    return lambda request: CORRECT(request) if len(request.query.get("template_id", "")) <= len("12") else reply


LOOK_UPS = [
    Attack("look-ups: `templates` is null", looked_up(NULL), 0, ALL),
    Attack("look-ups: 404 in the body and as HTTP status", looked_up(failure(404, 404)), 0, ALL),
    Attack("look-ups: 500 for the missing template and an impossible id", looked_up(failure(500)), 0, KEPT),
    Attack("look-ups: no reply for the missing template", looked_up(NO_REPLY, success([])), 0, KEPT),
    Attack("look-ups: a template for an impossible id", cannot_be(success([BEFORE[0]])), 76, KEPT),
    *(Attack(f"look-ups: {name}, for every id", faulty(CORRECT, {0: reply}), code, KEPT) for name, reply, code in (
        ("`templates` is null", NULL, 76), ("a template without its id", NO_ID, 76), ("a web page", html(), 76), ("no reply", NO_REPLY, 0),
    )),
]  # fmt: skip


def bad(name: str, **changes: Any) -> Attack:
    """Make record 11 invalid: the others are applied, and 11 keeps its last valid values."""
    return Attack(f"record: {name}", catalog([*AFTER[:10], record("11", **changes), AFTER[11]]), 0, SPOILT)


def odd(name: str, each: object, rows: str) -> Attack:
    return Attack(f"record: a {name}", catalog([*AFTER, each]), 0, f"{rows}, 1 rejected")


SPOILT = "+1 ~0 -1, 1 rejected"
DEEP = b'"changed", "x": ' + b"[" * 50_000 + b"]" * 50_000
RECORDS = [
    bad("a numeric id", TemplateId=11),
    bad("a title of the wrong type", Title=[]),
    bad("a title of 10 MB", Title="x" * 10**7),
    Attack("record: a title of 17 MB", catalog([*AFTER[:11], record("13", Title="x" * 17_000_000)]), 76),
    bad("half a surrogate pair in the title", Title="\ud83d"),
    bad("a price of NaN", ConsumeItems=[{"Resolution": "480p", "Credit": float("nan")}]),
    bad("a price without credits", ConsumeItems=[{"Resolution": "480p"}]),
    Attack("record: nesting of 50,000 levels", with_pages_changed(lambda content: content.replace(b'"changed"', DEEP)), 0, SPOILT),
    Attack("record: a JSON key listed twice", with_pages_changed(lambda content: content.replace(b'"Title_en": "changed"', b'"Title_en": "other", "Title_en": "changed"')), 0, ALL),
    odd("record without an id, whose media id is new", record(TemplateId=..., MediaId="9"), ALL),
    odd("record without an id, with the media id of template 12", record(TemplateId=...), KEPT),
    odd("record with a null id, with the media id of template 12", record(TemplateId=None), KEPT),
    odd("record without an id and without a media id", record(TemplateId=..., MediaId=...), KEPT),
    odd("record that is not an object", "x", KEPT),
    Attack("record: the same record twice", catalog([AFTER[0], *AFTER], total=12), 0, ALL),
    Attack("record: two different records of template 11", catalog([*AFTER[:11], record("11", Title_en="other"), AFTER[11]], total=12), 0, SPOILT),
    Attack("record: a new field in every record", catalog([{**each, "New": 1} for each in AFTER]), 0, ALL, exact=False),
    Attack("record: a field is missing from every record", catalog([record(each["TemplateId"], Title_en=...) for each in BEFORE]), 0),
    Attack("record: tags, ratios and prices in another order", catalog([
        {**each, "Tags": each["Tags"][::-1], "Tags_en": each["Tags_en"][::-1], "SupportAspectRatio": "1:1,9:16",
         "ConsumeItems": each["ConsumeItems"][::-1]} for each in BEFORE
    ]), 0, exact=False),
]  # fmt: skip

FAULTS = [*CODES, *PAGES, *LOOK_UPS, *RECORDS]
