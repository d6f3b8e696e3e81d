"""The second confirmation of a removal: which responses to look-ups, or second walks, are evidence, and which are not."""

from __future__ import annotations

import json
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.removals import LOOK_UPS, SAMPLE, Confirmation, RunOptions, Unconfirmed
from sync.catalog.served_records import ServedRecord
from sync.client.confirm_removals import MOST_ACCEPTED, cause, confirm_removals
from sync.client.walk import Walk
from sync.errors import (
    AccessDenied,
    DeadlineExceeded,
    Deferred,
    Interrupted,
    InvalidResponse,
    Maintenance,
    SyncError,
    Unreachable,
)
from tests.catalog.runs import new_parser
from tests.fake_client import FakeClient, listed, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.client.api_client import Params
    from tests.fake_client import Given

    LookUps = Callable[[str], Given]


def body(code: int, data: Any = None, message: str = "") -> bytes:
    return json.dumps({"code": code, "message": message, "data": data}).encode()


def found(template_id: str, total: int | None = 1) -> tuple[int, bytes]:
    return 200, body(200, {"total": total, "templates": [{"TemplateId": template_id}]})


def walked(served: Sequence[str], unreadable: Sequence[str | None] = (), *, verified: bool = True) -> Walk:
    good = [ServedRecord(1, place, each, "", None) for place, each in enumerate(served)]
    bad = [ServedRecord(1, place, each, "", 0, "no") for place, each in enumerate(unreadable, len(served))]
    return Walk((*good, *bad), len(good) + len(bad), 1, verified=verified)


def confirm(
    look_ups: LookUps,
    missing: Sequence[str] = ("7",),
    served: Sequence[str] = ("1", "2", "3"),
    unreadable: Sequence[str | None] = (),
    *,
    workers: int = 1,
    random: Callable[[], float] | None = None,
    verified: bool = True,
    accept: bool = False,
    pages: Callable[[Params], Given] | None = None,
) -> tuple[Confirmation, list[str]]:
    """Confirm missing templates; return the IDs that were looked up, too, without the controls. `pages` are of a second walk."""

    def answer(params: Params) -> Given:
        if pages and "page" in params:
            return pages(params)
        return look_ups(str(params["template_id"]))

    endpoint = FakeClient(answer, workers=workers)
    confirmation = confirm_removals(
        endpoint,
        new_parser(),
        missing,
        walked(served, unreadable, verified=verified),
        RunOptions(2, accept_removals=accept),
        random or cycle((0.1, 0.5, 0.9)).__next__,
    )
    return confirmation, [str(each["template_id"]) for each in endpoint.requests if each.get("template_id") in missing]


def correct(denial: Given, **others: Given) -> LookUps:
    """Find 1, 2 and 3, return `denial` for any other ID, and other responses for some IDs, written `_7`."""

    def answer(template_id: str) -> Given:
        return found(template_id) if template_id in {"1", "2", "3"} else others.get(f"_{template_id}", denial)

    return answer


NOT_FOUND_RESPONSES: dict[str, tuple[int, bytes]] = {
    "404": (404, body(404, message="The template does not exist")),
    "404 inside an HTTP 200": (200, body(404)),
    "an empty list": (200, body(200, {"total": 0, "templates": []})),
    "an empty list that is null": (200, body(200, {"total": 0, "templates": None})),
    "an empty list without a count": (200, body(200, {"templates": []})),
    "an empty list under HTTP 404": (404, body(200, {"total": 0, "templates": []})),
}

NO_EVIDENCE: dict[str, Given] = {
    "an empty list that counts one": (200, body(200, {"total": 1, "templates": []})),
    "an empty list that counts the catalog, where one that is full counts one": (200, body(200, {"total": 3, "templates": []})),
    "a web server's own 404": (404, b"<html><head><title>404 Not Found</title></head><center>nginx</center></html>"),
    "a framework's own 404": (404, b'{"detail":"Not Found"}'),
    "a 404 that cannot be decoded": (404, b"\xff\xfe\x00"),
    "a 404 that breaks off": (404, b'{"code": 404, "mess'),
    "a 404 without a body": (404, b""),
    "a 404 that is a list": (404, b"[404]"),
    "422": (422, body(422)),
    "success without a list": (200, body(200, {})),
    "another template": found("8"),
    "a record without an id": (200, body(200, {"total": 1, "templates": [{}]})),
    "a 404 that holds a template": (404, body(200, {"total": 1, "templates": [{"TemplateId": "7"}]})),
    "an undocumented code": (200, body(299)),
    "a web page": (200, b"<html>"),
}

NO_DENIAL = "a look-up of an ID that cannot exist did not return a plain 404"
COUNTED = "a look-up that found nothing reports {} templates"


@pytest.mark.parametrize("denial", NOT_FOUND_RESPONSES.values(), ids=NOT_FOUND_RESPONSES)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_plain_not_found_confirms_a_removal(denial: Given, workers: int) -> None:
    confirmation, looked_up = confirm(correct(denial), ["7", "8", "9"], workers=workers)
    assert confirmation == Confirmation({"7": "lookup", "8": "lookup", "9": "lookup"})
    assert sorted(looked_up) == ["7", "8", "9"]


@pytest.mark.parametrize("answer", NO_EVIDENCE)
def test_without_a_plain_not_found_for_the_impossible_id_nothing_is_confirmed(answer: str) -> None:
    confirmation, looked_up = confirm(correct(NO_EVIDENCE[answer]))
    assert (confirmation.evidence, confirmation.found, looked_up) == ({}, [], [])
    total = 1 if "that counts one" in answer else 3 if "that counts the catalog" in answer else None
    assert confirmation.problem == (COUNTED.format(total) if total else NO_DENIAL)


DIFFERS = Unconfirmed("the look-up's response differs from that for an ID that cannot exist", answered=True)
OTHERS = Unconfirmed("the look-up returned other templates", answered=True)
WHY_UNCONFIRMED = {
    "422": Unconfirmed("the look-up's response is invalid: HTTP 422", answered=True),
    "success without a list": Unconfirmed(
        "the look-up's response is invalid: The response reports success but has no list of templates", answered=False
    ),
    "another template": OTHERS,
    "a record without an id": OTHERS._replace(answered=False),
    "a 404 that holds a template": Unconfirmed(
        "the look-up's response is invalid: The response has code 404 but contains templates", answered=False
    ),
    "an undocumented code": Unconfirmed("the look-up's response is invalid: HTTP 299", answered=False),
    "a web page": Unconfirmed("the look-up's response is invalid: The response is not JSON", answered=False),
}
"""The others have a response of another form than the control."""


@pytest.mark.parametrize("answer", NO_EVIDENCE)
def test_a_response_of_another_form_than_that_for_the_impossible_id_is_no_evidence(answer: str) -> None:
    confirmation, looked_up = confirm(correct(NOT_FOUND_RESPONSES["404"], _7=NO_EVIDENCE[answer]), ["7", "9"])
    assert confirmation == Confirmation({"9": "lookup"}, {"7": WHY_UNCONFIRMED.get(answer, DIFFERS)})
    assert looked_up == ["7", "9"]


MAINTENANCE_404 = 404, body(404, message="Down for maintenance")


@pytest.mark.parametrize(
    "answer",
    [*NOT_FOUND_RESPONSES.values(), *NO_EVIDENCE.values(), MAINTENANCE_404],
    ids=[*NOT_FOUND_RESPONSES, *NO_EVIDENCE, "a 404 about maintenance"],
)
def test_if_look_ups_do_not_find_served_templates_nothing_is_confirmed(answer: Given) -> None:
    problem = "a look-up did not find a template that the catalog had just served"
    unconfirmed = {"7": Unconfirmed(f"not looked up: {problem}", answered=False)}
    assert confirm(lambda _: answer) == (Confirmation(unconfirmed=unconfirmed, problem=problem), [])


@pytest.mark.parametrize(("denial", "other"), [
    (NOT_FOUND_RESPONSES["404"], MAINTENANCE_404),
    (NOT_FOUND_RESPONSES["404"], NOT_FOUND_RESPONSES["an empty list"]),
    ((404, body(404)), (404, body(404, {"templates": []}))),
    (NOT_FOUND_RESPONSES["an empty list under HTTP 404"], (404, body(404, {"total": 0, "templates": []}))),
], ids=["another message", "an empty list", "with a list", "another code"])  # fmt: skip
def test_a_404_of_another_form_than_that_of_the_controls_is_no_evidence(denial: Given, other: Given) -> None:
    assert confirm(correct(denial, _7=other))[0] == Confirmation(unconfirmed={"7": DIFFERS})


def test_one_failed_control_of_two_prevents_all_removals() -> None:
    confirmation, _ = confirm(
        lambda each: found("1") if each == "1" else NOT_FOUND_RESPONSES["404"], random=cycle((0.0, 0.5)).__next__
    )
    assert (confirmation.evidence, bool(confirmation.problem)) == ({}, True)


@pytest.mark.parametrize("missing", ["7", "abc"])
@pytest.mark.parametrize(
    "message",
    ["No template {}.", "Template {} not found (request 3f2a9c1b{}77)", "{}", "Not found (request {1})", "No template {:.9}"],
    ids=["the id", "the id and a long request", "nothing but the id", "a short request", "the id, cut"],
)
def test_a_not_found_message_may_contain_the_id_and_a_request_id(message: str, missing: str) -> None:
    confirmation, _ = confirm(
        lambda each: found(each) if each in "123" else (404, body(404, message=message.format(each, len(each)))), [missing]
    )
    assert confirmation.evidence == {missing: "lookup"}


def test_the_count_in_a_look_up_may_be_that_of_the_whole_catalog() -> None:
    confirmation, _ = confirm(lambda each: found(each, 3) if each in "123" else (200, body(200, {"total": 3, "templates": []})))
    assert confirmation.evidence == {"7": "lookup"}


def test_in_a_catalog_of_one_template_an_empty_list_that_counts_one_is_no_not_found() -> None:
    confirmation, _ = confirm(
        lambda each: found(each) if each == "1" else (200, body(200, {"total": 1, "templates": []})), served=["1"]
    )
    assert (confirmation.evidence, bool(confirmation.problem)) == ({}, True)


def test_look_ups_that_fail_after_their_controls_confirm_no_removal() -> None:
    denied: list[str] = []

    def look_up(template_id: str) -> Given:
        if template_id == "7" or denied:
            denied.append(template_id)
        return NOT_FOUND_RESPONSES["404"] if denied or template_id not in {"1", "2"} else found(template_id)

    confirmation, _looked_up = confirm(look_up, served=["1", "2"])
    problem = "the look-ups no longer find templates that the catalog had just served"
    assert confirmation == Confirmation(
        unconfirmed={"7": Unconfirmed(f"no look-up counts: {problem}", answered=True)}, problem=problem
    )


def test_an_empty_catalog_has_the_impossible_id_as_its_only_control() -> None:
    assert confirm(lambda _: NOT_FOUND_RESPONSES["404"], served=[])[0].evidence == {"7": "lookup"}
    assert confirm(lambda _: NO_EVIDENCE["a framework's own 404"], served=[])[0].evidence == {}


@pytest.mark.parametrize(
    ("served", "chances", "controls", "impossible"),
    [
        (["1", "2", "3"], (0.0, 0.999), ["1", "3"], "9" + "09" * 12),
        (["a", "b", "c"], (0.0, 0.999), ["a", "c"], "9" + "0z" * 12),
        ([], (0.0, 0.999), [], "9" + "09" * 12),
        (["1"], (0.999999,), ["1"], "9" * 25),
        (["1", "2", "3"], (0.0,), ["1"], "9" + "0" * 24),
        (["1", "2", "3"], (1.0,), ["3"], "9" * 25),
        (["a-b", "c-d"], (0.0,), ["a-b"], "9" + "0" * 24),
        (["a-b", "c-d"], (1.0,), ["c-d"], "9" + "z" * 24),
    ],
    ids=["numbers", "names", "nothing served", "one", "lowest", "highest", "lowest of names", "highest of names"],
)
def test_two_controls_are_looked_up_and_the_impossible_id_resembles_the_served_ones(
    served: list[str], chances: tuple[float, ...], controls: list[str], impossible: str
) -> None:
    looked_up: list[str] = []

    def look_up(template_id: str) -> Given:
        looked_up.append(template_id)
        return found(template_id) if template_id in served else NOT_FOUND_RESPONSES["404"]

    assert confirm(look_up, served=served, random=cycle(chances).__next__)[0].evidence == {"7": "lookup"}
    assert looked_up == [*controls, impossible, "7", *controls]


def test_records_without_tags_in_a_catalog_without_tags_are_controls() -> None:
    records = tuple(ServedRecord(1, place, each, "", 0, tags_unpaired=True) for place, each in enumerate("123"))
    broken = FakeClient(lambda _: NOT_FOUND_RESPONSES["404"])
    confirmation = confirm_removals(broken, new_parser(), ["7"], Walk(records, 3, 1, verified=True), RunOptions(), lambda: 0.5)
    assert (confirmation.evidence, len(broken.requests)) == ({}, 1)


def test_a_rejected_record_is_not_a_control() -> None:
    confirmation, _ = confirm(correct(NOT_FOUND_RESPONSES["404"]), served=["1"], unreadable=["8", None])
    assert confirmation == Confirmation({"7": "lookup"})


PASSING = [Unreachable("no"), Deferred("no", code="429"), Maintenance("no", code="455")]


@pytest.mark.parametrize("control", ["first", "last"])
@pytest.mark.parametrize("error", PASSING)
def test_a_control_that_fails_temporarily_is_no_problem_and_confirms_nothing(error: SyncError, control: str) -> None:
    known: Callable[[str], Given] = found if control == "last" else lambda _: error
    why = "no" if error.code == "unreachable" else f"HTTP {error.code}"
    unconfirmed = {"7": Unconfirmed(f"not looked up: a control look-up failed: {why}", answered=False)}
    assert confirm(lambda each: known(each) if each in "123" else error) == (Confirmation(unconfirmed=unconfirmed), [])


@pytest.mark.parametrize("error", PASSING)
def test_a_control_after_the_look_ups_that_fails_temporarily_is_no_problem_and_confirms_nothing(error: SyncError) -> None:
    looked_up: list[str] = []

    def look_up(template_id: str) -> Given:
        looked_up.append(template_id)
        return error if "7" in looked_up and template_id in "123" else correct(NOT_FOUND_RESPONSES["404"])(template_id)

    why = "no" if error.code == "unreachable" else f"HTTP {error.code}"
    unconfirmed = {"7": Unconfirmed(f"no look-up counts: a control look-up failed: {why}", answered=True)}
    assert confirm(look_up)[0] == Confirmation(unconfirmed=unconfirmed)


@pytest.mark.parametrize("over", [DeadlineExceeded("no"), Interrupted("no")])
def test_the_end_of_the_run_is_not_a_result_of_a_look_up(over: SyncError) -> None:
    with pytest.raises(type(over)):
        confirm(lambda _: over)
    with pytest.raises(type(over)):
        confirm(correct(NOT_FOUND_RESPONSES["404"], _7=over))


@pytest.mark.parametrize(
    ("records", "ids"),
    [
        ([{"TemplateId": "7"}], ["7"]),
        ([{"TemplateId": 7}], ["7"]),
        ([{"TemplateId": "6"}, {"TemplateId": "7"}], ["7"]),
        ([{"TemplateId": "7", "Title": "a"}, {"TemplateId": "7", "Title": "b"}], ["7", "7"]),
        ([{"TemplateId": "6"}], []),
        ([{}], []),
        ([None], []),
    ],
)
def test_a_look_up_finds_its_template_and_no_other(records: list[Any], ids: list[str]) -> None:
    confirmation, _ = confirm(correct(NOT_FOUND_RESPONSES["404"], _7=listed(records, len(records))))
    assert (confirmation.evidence, [each.template_id for each in confirmation.found]) == ({}, ids)


@pytest.mark.parametrize("error", [*PASSING, AccessDenied("no", code="402")])
def test_after_an_error_that_persists_no_further_id_is_looked_up(error: SyncError) -> None:
    confirmation, looked_up = confirm(correct(not_found(), _8=error), ["7", "8", "9"])
    assert (confirmation.evidence, looked_up) == ({"7": "lookup"}, ["7", "8"])
    why = "no" if error.code == "unreachable" else f"HTTP {error.code}"
    assert confirmation.unconfirmed == {
        "8": Unconfirmed(f"the look-up failed: {why}", answered=False),
        "9": Unconfirmed(f"not looked up: another look-up failed: {why}", answered=False),
    }


def test_after_an_invalid_response_the_other_look_ups_continue() -> None:
    confirmation, looked_up = confirm(correct(not_found(), _7=InvalidResponse("no", code="html")), ["7", "8"], workers=4)
    assert (confirmation.evidence, sorted(looked_up)) == ({"8": "lookup"}, ["7", "8"])


def test_the_cause_of_an_error_is_its_code_or_its_message() -> None:
    assert cause(Unreachable("No fax.", code="503")) == "HTTP 503"
    assert cause(Unreachable("No fax.")) == "No fax"


# With --accept-removals -------------------------------------------------------------------------------------------------


def test_an_operator_can_accept_answered_look_ups_although_the_controls_failed() -> None:
    confirmation, looked_up = confirm(lambda _: NO_EVIDENCE["a web server's own 404"], ["7", "8"], accept=True)
    assert (confirmation.evidence, confirmation.unconfirmed, looked_up) == ({}, {"7": DIFFERS, "8": DIFFERS}, ["7", "8"])
    assert confirmation.problem == "a look-up did not find a template that the catalog had just served"


@pytest.mark.parametrize("error", PASSING)
def test_an_operator_cannot_accept_a_removal_whose_look_up_failed(error: SyncError) -> None:
    confirmation, _ = confirm(lambda _: error, ["7", "8"], accept=True)
    assert [each.answered for each in confirmation.unconfirmed.values()] == [False, False]


def test_an_operator_cannot_accept_the_removal_of_a_template_that_a_look_up_finds() -> None:
    confirmation, _ = confirm(lambda each: found(each) if each == "7" else (404, b"no"), ["7", "8"], accept=True)
    assert ([each.template_id for each in confirmation.found], confirmation.unconfirmed) == (["7"], {"8": DIFFERS})


def test_an_operator_can_accept_removals_of_a_verified_walk_only() -> None:
    look_ups = correct(NOT_FOUND_RESPONSES["404"], _7=MAINTENANCE_404)
    confirmation, _ = confirm(look_ups, verified=False, accept=True)
    assert confirmation.unconfirmed == {"7": DIFFERS._replace(answered=False)}
    assert confirm(lambda _: NOT_FOUND_RESPONSES["404"], verified=False, accept=True)[1] == []


# Many missing templates --------------------------------------------------------------------------------------


def test_the_number_of_look_ups_is_limited() -> None:
    assert (LOOK_UPS, SAMPLE, MOST_ACCEPTED) == (200, 20, 2000)


MANY = [str(number) for number in range(1000, 1000 + LOOK_UPS + 1)]


def again(
    pages: Callable[[int], Sequence[Any]], total: int, look_ups: LookUps | None = None, **options: Any
) -> tuple[Confirmation, list[str]]:
    """Confirm missing templates with a second walk over these pages."""
    options = {"missing": MANY, "random": lambda: 0.5, **options}
    return confirm(look_ups or correct(not_found()), pages=lambda params: listed(pages(int(params["page"])), total), **options)


WITHOUT_ANY: Callable[[int], list[Any]] = lambda page: [{"TemplateId": "1"}] if page == 1 else []  # noqa: E731 - one expression


def test_many_templates_missing_from_a_second_verified_walk_are_confirmed() -> None:
    pages: dict[int, list[Any]] = {1: [{"TemplateId": "1"}, {"TemplateId": "1000"}], 2: [{}]}
    confirmation, _ = again(lambda page: pages.get(page, []), total=3)
    assert confirmation.evidence == dict.fromkeys(MANY[1:], "walks")
    assert [each.template_id for each in confirmation.found] == ["1000", None]


def test_a_second_walk_comes_with_twenty_random_look_ups() -> None:
    assert again(WITHOUT_ANY, 1, random=lambda: 0.0)[1] == MANY[:SAMPLE]
    assert again(WITHOUT_ANY, 1, random=lambda: 1.0)[1] == MANY[: -SAMPLE - 1 : -1]
    chance = cycle((0.1, 0.7, 0.3, 0.9)).__next__
    assert len(set(again(WITHOUT_ANY, 1, random=chance)[1])) == SAMPLE


def test_a_found_template_of_the_sample_prevents_all_removals() -> None:
    confirmation, looked_up = again(
        lambda _: pytest.fail("it walked"),
        total=1,
        look_ups=lambda each: found(each) if each in {"1", "2", "3", "1100"} else NOT_FOUND_RESPONSES["404"],
    )
    assert (confirmation.evidence, [each.template_id for each in confirmation.found]) == ({}, ["1100"])
    doubt = "a look-up found one of the missing templates, so the walk is incomplete"
    sampled = set(looked_up) - {"1100"}
    assert {key for key, each in confirmation.unconfirmed.items() if each == Unconfirmed(doubt, answered=True)} == sampled
    rest = Unconfirmed(f"not looked up: {doubt}", answered=False)
    assert {key for key, each in confirmation.unconfirmed.items() if each == rest} == set(MANY) - sampled - {"1100"}


@pytest.mark.parametrize("answer", [MAINTENANCE_404, found("8"), Unreachable("no")], ids=["another form", "another one", "none"])
def test_one_look_up_of_the_sample_without_evidence_prevents_all_removals(answer: Given) -> None:
    confirmation, looked_up = again(
        lambda _: pytest.fail("it walked"), total=1, look_ups=correct(NOT_FOUND_RESPONSES["404"], _1100=answer)
    )
    assert (confirmation.evidence, confirmation.problem, set(confirmation.unconfirmed)) == ({}, "", set(MANY))
    reason = "not looked up: not every look-up of some missing templates confirmed that they are gone"
    assert confirmation.unconfirmed["1000"] == Unconfirmed(reason, answered=False)
    assert len(looked_up) <= SAMPLE


@pytest.mark.parametrize("breaks", [False, True], ids=["before", "after"])
def test_if_the_controls_of_the_sample_fail_nothing_is_confirmed(*, breaks: bool) -> None:
    def look_up(template_id: str) -> Given:
        served = template_id in {"1", "2", "3"} and breaks and template_id not in MANY and not denied
        denied.extend([template_id] if template_id in MANY else [])
        return found(template_id) if served else NOT_FOUND_RESPONSES["404"]

    denied: list[str] = []
    confirmation, _ = again(lambda _: pytest.fail("it walked"), total=1, look_ups=look_up)
    assert (confirmation.evidence, bool(confirmation.problem), set(confirmation.unconfirmed)) == ({}, True, set(MANY))


def test_up_to_the_limit_of_look_ups_no_second_walk_is_made() -> None:
    confirmation, _ = again(lambda _: pytest.fail("it walked"), total=3, missing=MANY[:LOOK_UPS])
    assert confirmation.evidence == dict.fromkeys(MANY[:LOOK_UPS], "lookup")


def test_an_unverified_second_walk_is_no_evidence_but_its_records_are_found() -> None:
    confirmation, _ = again(lambda page: [{"TemplateId": "1000"}] if page == 1 else [], total=3)
    assert (confirmation.evidence, {each.template_id for each in confirmation.found}) == ({}, {"1000"})
    reason = "the second walk could not be verified: the catalog reports 3 templates, but served 1"
    assert {each.reason.removeprefix("not looked up: ") for each in confirmation.unconfirmed.values()} == {reason}


def test_if_an_operator_accepts_and_the_sample_does_not_agree_all_are_looked_up() -> None:
    look_ups = correct(NOT_FOUND_RESPONSES["404"], _1100=found("1100"), _1001=Unreachable("no"), _1002=MAINTENANCE_404)
    confirmation, looked_up = again(lambda _: pytest.fail("it walked"), total=1, look_ups=look_ups, accept=True)
    answered = {key for key, each in confirmation.unconfirmed.items() if each.answered}
    assert (confirmation.evidence, answered) == ({}, set(looked_up) - {"1100", "1001"})
    assert "1000" in answered, "nothing is looked up after a look-up without a response"


def test_an_operator_accepts_at_most_as_many_as_can_be_looked_up_in_time() -> None:
    missing = [str(number) for number in range(1000, 1000 + SAMPLE + MOST_ACCEPTED + 1)]
    confirmation, _ = again(
        lambda _: pytest.fail("it walked"), total=1, missing=missing, look_ups=lambda _: NOT_FOUND_RESPONSES["404"], accept=True
    )
    assert sum(each.answered for each in confirmation.unconfirmed.values()) == SAMPLE + MOST_ACCEPTED
    assert len(confirmation.unconfirmed) == len(missing)


def test_after_a_walk_with_a_permanently_wrong_count_only_look_ups_confirm() -> None:
    requests: list[str] = []

    def look_up(template_id: str) -> Given:
        requests.append(template_id)
        return correct(not_found())(template_id)

    confirmation, _ = again(lambda _: pytest.fail("it walked"), total=0, look_ups=look_up, verified=False)
    assert confirmation.evidence == dict.fromkeys(MANY[:LOOK_UPS], "lookup")
    assert confirmation.unconfirmed == {
        MANY[-1]: Unconfirmed("not looked up: the limit of 200 look-ups per run was reached", answered=False)
    }
    assert len(requests) <= LOOK_UPS + 3 + 2
