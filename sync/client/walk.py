"""Fetch every page of a catalog that may change meanwhile, and verify the result.

A walk is verified if the number of distinct IDs equals the count that the catalog reports, that count is the same on every page,
no page was served twice, and every page was fetched. Otherwise the walk is repeated, up to MOST_WALKS times; not for a page that
could not be fetched, because its retries have failed already. A verified walk can still miss a template that moved between two
pages, so a removal requires a second confirmation, see `confirm_removals`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.catalog.served_records import same_record
from sync.client.response import Envelope
from sync.errors import Deferred, InvalidResponse, NoSuchPage, NotFound, SyncError, TryLater, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sync.catalog.removals import RunOptions
    from sync.catalog.served_records import RecordParser, ServedRecord
    from sync.client.api_client import ApiClient, Params

    Progress = Callable[[int, int | None], None]

MOST_WALKS = 3
MOST_PAGES = 40_000
MOST_RECORDS = 2_000_000
MOST_EMPTY_PAGES = 3
_NUMBERS_SHOWN = 10
_GARBAGE = {"not-json", "not-envelope", "html", "encoding"}
"""Error codes of responses that cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The result of a walk.

    Attributes:
        records: all records; of an unverified walk, those of all attempts.
        total: the count that the catalog reports; None if it reports none.
        pages: number of non-empty pages of the last attempt, at least 1.
        verified: whether absence from `records` is evidence of removal.
        reason: why the walk is not verified, one phrase.
        failed_pages: pages that could not be fetched.
        missing: documented fields without a value in every record; of an unverified walk, in every record of any one attempt.
    """

    records: tuple[ServedRecord, ...]
    total: int | None
    pages: int
    verified: bool
    reason: str = ""
    missing: frozenset[str] = frozenset()
    failed_pages: tuple[int, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """One walk in progress."""

    parser: RecordParser
    pages: dict[int, list[ServedRecord]] = field(default_factory=dict)
    totals: set[int | None] = field(default_factory=set)
    contents: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    refused: dict[int, InvalidResponse] = field(default_factory=dict)
    failed: dict[int, SyncError] = field(default_factory=dict)
    served: int = 0
    without_id: int = 0
    empty: int = 0
    repeated: bool = False

    def add_response(self, page: int, response: Envelope | InvalidResponse) -> None:
        """Parse and add one page, or a 404 or 422."""
        if isinstance(response, InvalidResponse):
            self.refused[page] = response
            self.add_page(page, [])
        else:
            self.totals.add(response.total)
            self.add_page(page, self.parser.parse_page(page, response.records or (), exact=response.exact))

    def add_page(self, page: int, records: list[ServedRecord]) -> None:
        """Add the records of one page."""
        ids = tuple([each.template_id for each in records])
        content = hash(ids)
        self.repeated = self.repeated or (bool(records) and content in self.contents)
        self.contents.add(content)
        self.ids.update([each for each in ids if each is not None])
        self.without_id += ids.count(None)
        self.pages[page] = records
        self.served += len(records)
        self.empty += not records
        if self.served > MOST_RECORDS:
            raise InvalidResponse(f"The catalog served more than {MOST_RECORDS} records.", code="too-large")

    def fail(self, page: int, error: SyncError, expected: int) -> None:
        """Add a page that could not be fetched; raise the first such error if more than half of the pages failed."""
        self.failed[page] = error
        if len(self.failed) * 2 > max(expected, page):
            raise next(iter(self.failed.values()))

    def require_plausible_end(self) -> None:
        """Raise a 404 or 422 before the last non-empty page: it is not the end of the list."""
        last = max(page for page, records in self.pages.items() if records or page == 1)
        if early := [page for page in self.refused if page < last]:
            raise self.refused[min(early)]

    def full_last_page(self, size: int) -> int | None:
        """Return the number of the last page if it is full, so that another may follow; else None."""
        last = max((*self.pages, *self.failed))
        return last if len(self.pages.get(last, ())) >= size else None

    @property
    def pointless(self) -> bool:
        """Whether further pages are useless: the server ignores `page`, or the count is far too high."""
        return self.repeated or self.empty > MOST_EMPTY_PAGES

    def records(self) -> list[ServedRecord]:
        return [each for page in sorted(self.pages) for each in self.pages[page]]


def walk(api: ApiClient, parser: RecordParser, options: RunOptions, progress: Progress | None = None) -> Walk:
    """Walk the catalog until a walk is verified, at most MOST_WALKS times.

    The server may return fewer templates per page than requested. `progress` is called with the number of pages so far and the
    expected number, or None, after each page.
    """
    earlier: list[list[ServedRecord]] = []
    missing_before: set[str] = set()
    for remaining in reversed(range(MOST_WALKS)):
        attempt = _walk_once(api, parser, options, progress)
        records = attempt.records()
        reason = _reason_to_doubt(attempt)
        again = bool(reason) or (remaining > 0 and _moved_and_changed(attempt, records, parser))
        if again:
            earlier.insert(0, records)
            missing_before |= parser.missing
        if attempt.failed or not again:
            break
    total = max((total for total in attempt.totals if total is not None), default=None)
    pages = sum(bool(page) for page in attempt.pages.values()) or 1  # an empty catalog has one page
    failed = tuple(sorted(attempt.failed))
    if reason:
        missing = frozenset(missing_before)
        return Walk(tuple(_joined(earlier)), total, pages, verified=False, reason=reason, missing=missing, failed_pages=failed)
    return Walk(tuple(records), total, pages, verified=True, missing=frozenset(parser.missing))


def _walk_once(api: ApiClient, parser: RecordParser, options: RunOptions, progress: Progress | None) -> _Attempt:
    page_size = options.page_size
    attempt = _Attempt(parser)
    parser.begin_walk()
    attempt.add_response(1, api.get({"page": 1, "page_size": page_size}))
    if progress:
        progress(1, None)
    served = attempt.served
    (total,) = attempt.totals
    # The server may limit the page size; a short first page shows a limit only if more templates follow.
    size = served if total is None or total > served else max(served, page_size)
    expected = -(-total // size) if total is not None and size else 1
    if expected > MOST_PAGES:
        expected = 1  # an absurd count is ignored

    def requests() -> Iterator[Params]:
        for page in range(2, expected + 1):
            if attempt.pointless:
                return
            yield {"page": page, "page_size": page_size}

    for params, response in api.get_many(requests()):
        page = int(params["page"])
        if isinstance(response, Envelope | NotFound | NoSuchPage):  # the last two, because the page may be past the end
            attempt.add_response(page, response)
            if progress:
                progress(len(attempt.pages), expected)
        elif _is_page_failure(response):
            attempt.fail(page, response, expected)
        else:
            raise response
    attempt.require_plausible_end()
    _walk_past_the_end(api, attempt, page_size, max(size, 1), progress)
    return attempt


def _is_page_failure(error: SyncError) -> bool:
    """Return whether an error concerns one page: at every attempt the server failed, sent garbage or did not respond."""
    if isinstance(error, Deferred):
        return error.exhausted
    return isinstance(error, Unreachable) or (isinstance(error, InvalidResponse) and error.code in _GARBAGE)


def _walk_past_the_end(api: ApiClient, attempt: _Attempt, page_size: int, size: int, progress: Progress | None) -> None:
    """Fetch further pages while the last one is full, because the count may be too low or missing."""
    while not attempt.pointless and (last := attempt.full_last_page(size)):
        beyond = _get_past_the_end(api, attempt, {"page": last + 1, "page_size": page_size})
        if beyond is None:
            return
        known = attempt.ids | ({None} if attempt.without_id else set())
        records = attempt.parser.parse_page(last + 1, beyond.records or (), exact=beyond.exact)
        if {record.template_id for record in records} <= known:
            # Past the end a server may repeat its first or last page, and may report a count of 0.
            if beyond.total:
                attempt.totals.add(beyond.total)
            return
        if last >= MOST_PAGES:
            raise InvalidResponse(f"The catalog has more than {MOST_PAGES} pages.", code="too-large")
        attempt.totals.add(beyond.total)
        attempt.add_page(last + 1, records)
        if progress:
            progress(len(attempt.pages), None)


def _get_past_the_end(api: ApiClient, attempt: _Attempt, params: Params) -> Envelope | None:
    """Fetch the page after the last one; return None if there is none."""
    try:
        return api.get(params)
    except (NotFound, NoSuchPage):
        return None
    except (InvalidResponse, TryLater) as error:
        api.check_deadline()
        if _reason_to_doubt(attempt):
            if not _is_page_failure(error):
                raise
            page = int(params["page"])
            attempt.fail(page, error, expected=page)
        return None  # without this page the walk is verified


def _reason_to_doubt(attempt: _Attempt) -> str:
    """Return why a walk is not verified; empty if it is. A record without a readable ID counts as one template."""
    if attempt.failed:
        return _why_failed(attempt.failed)
    if None in attempt.totals:
        return "the catalog did not report its number of templates"
    totals = sorted(total for total in attempt.totals if total is not None)
    if len(totals) > 1:
        return f"the catalog's count changed during the walk ({_first(totals)})"
    if attempt.repeated:
        return "the catalog served the same page twice"
    if (count := len(attempt.ids) + attempt.without_id) != totals[0]:
        return f"the catalog reports {totals[0]} templates, but served {count}"
    return ""


def _why_failed(failed: Mapping[int, SyncError]) -> str:
    first = min(failed)
    why = str(failed[first]).rstrip(".")
    if len(failed) == 1:
        return f"page {first} could not be fetched ({why})"
    return f"{len(failed)} pages could not be fetched: {_first(sorted(failed))} (page {first}: {why})"


def _first(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_NUMBERS_SHOWN])) + (", …" if len(numbers) > _NUMBERS_SHOWN else "")


def _moved_and_changed(attempt: _Attempt, records: Sequence[ServedRecord], parser: RecordParser) -> bool:
    """Return whether a template was served on two pages with different contents, of which the newer one is unknown."""
    if len(attempt.ids) + attempt.without_id == attempt.served:
        return False
    first: dict[str, ServedRecord] = {}
    pairs = [(first.setdefault(each.template_id, each), each) for each in records if each.template_id is not None]
    return any(
        earlier.page != each.page and not (earlier.readable and each.readable and same_record(earlier, each, parser))
        for earlier, each in pairs
    )


def _joined(attempts: list[list[ServedRecord]]) -> list[ServedRecord]:
    """Join attempts, newest first: all records of the newest, and from each older one the IDs not seen yet."""
    joined: list[ServedRecord] = []
    seen: set[str | None] = set()
    for records in attempts:
        joined += [each for each in records if each.template_id not in seen]
        seen.update(each.template_id for each in records)
    return joined
