"""Walk every page of a catalog that may move meanwhile, and say whether absence from it is evidence.

A walk is verified when the distinct ids equal the catalog's own count, that count held still on every page, no page came twice,
and every page could be read. Otherwise the walk is made again, a bounded number of times; not for a page that could not be read,
because its retries have failed already. A walk cannot see a template that moved from an unread page to a read one while another
took its place: therefore a removal needs a second confirmation, see `confirm_removals`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.endpoint.envelope import Envelope
from sync.errors import BadAnswer, Deferred, NoSuchPage, NotThere, SyncError, TryLater, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sync.catalog.intake import Intake, Sighting
    from sync.endpoint.questions import Answers, Question

    Progress = Callable[[int, int | None], None]

MOST_WALKS = 3
MOST_PAGES = 40_000
MOST_RECORDS = 2_000_000
MOST_EMPTY_PAGES = 3
_COUNTS_SHOWN = 10
_GARBAGE = {"not-json", "not-envelope", "html", "encoding"}
"""Codes of answers that cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking the catalog brought.

    Attributes:
        sightings: every record with its place. Of an unverified walk, what all attempts together were served.
        total: the catalog's own count, None if it never gave one.
        pages: pages that held something, in the last attempt; at least one.
        verified: whether absence from `sightings` is evidence.
        reason: why not, one phrase.
        failed_pages: pages that could not be read; what the others served counts.
        fields: names of all fields seen on the way. A record that was recognised may not have been looked into, because others
            had shown all of them before: they count even where those others are not among `sightings`.
    """

    sightings: tuple[Sighting, ...]
    total: int | None
    pages: int
    verified: bool
    reason: str = ""
    fields: frozenset[str] = frozenset()
    failed_pages: tuple[int, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """One walk in progress."""

    intake: Intake
    pages: dict[int, list[Sighting]] = field(default_factory=dict)
    totals: set[int | None] = field(default_factory=set)
    contents: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    refused: dict[int, BadAnswer] = field(default_factory=dict)
    failed: dict[int, SyncError] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    records: int = 0
    nameless: int = 0
    empty: int = 0
    repeated: bool = False

    def take(self, page: int, answer: Envelope | BadAnswer) -> None:
        """Keep one page; a 404 or 422 may mean that it lies past the end."""
        records: list[bytes] = []
        if isinstance(answer, BadAnswer):
            self.refused[page] = answer
        else:
            records = answer.records or []
            self.totals.add(answer.total)
        self.keep(page, self.intake.take(page, records))

    def keep(self, page: int, sightings: list[Sighting]) -> None:
        """Keep a page's records, each taken in once: a second time nobody would look at its names."""
        ids = tuple([each.template_id for each in sightings])
        content = hash(ids)
        self.repeated = self.repeated or (bool(sightings) and content in self.contents)
        self.contents.add(content)
        self.ids.update([each for each in ids if each is not None])
        self.nameless += ids.count(None)
        self.pages[page] = sightings
        self.fields.update(*(each.names for each in sightings if each.names))
        self.records += len(sightings)
        self.empty += not sightings
        if self.records > MOST_RECORDS:
            raise BadAnswer(f"The catalog served more than {MOST_RECORDS} records.", code="too-large")

    def fail(self, page: int, error: SyncError, expected: int) -> None:
        """Note a page that could not be read.

        Raises:
            SyncError: the first such error, if these are more than half of the pages.
        """
        self.failed[page] = error
        if len(self.failed) * 2 > max(expected, page):
            raise next(iter(self.failed.values()))

    def require_plausible_end(self) -> None:
        """Refuse a 404 or 422 in the middle of the list: with templates behind it, it does not mean the end.

        Raises:
            BadAnswer: that 404 or 422.
        """
        last = max(page for page, records in self.pages.items() if records or page == 1)
        if early := [page for page in self.refused if page < last]:
            raise self.refused[min(early)]

    def full_last_page(self, size: int) -> int | None:
        """Give the number of the last page if it was served and is full, so that another may be behind it."""
        last = max((*self.pages, *self.failed))
        return last if len(self.pages.get(last, ())) >= size else None

    @property
    def pointless(self) -> bool:
        """Whether further pages would only repeat what is known: the server ignores `page`, or the count is far too high."""
        return self.repeated or self.empty > MOST_EMPTY_PAGES

    def sightings(self) -> list[Sighting]:
        return [each for page in sorted(self.pages) for each in self.pages[page]]


def walk(endpoint: Answers, intake: Intake, *, page_size: int, workers: int, progress: Progress | None = None) -> Walk:
    """Walk the catalog until a walk is verified, at most MOST_WALKS times.

    Args:
        endpoint: answers questions.
        intake: takes in the records of each page as it arrives.
        page_size: templates per page to ask for; what the server really gives is what counts.
        workers: pages in flight at once.
        progress: called with (pages so far, pages expected or None) after each page.
    """
    earlier: list[list[Sighting]] = []
    fields: set[str] = set()
    for remaining in reversed(range(MOST_WALKS)):
        attempt = _walk_once(endpoint, intake, page_size, workers, progress)
        sightings = attempt.sightings()
        reason = _reason_to_doubt(attempt)
        again = bool(reason) or (remaining > 0 and _moved_and_changed(attempt, sightings, intake))
        fields = fields | attempt.fields if again else attempt.fields
        if again:
            earlier.insert(0, sightings)
        if attempt.failed or not again:
            break
    total = max((total for total in attempt.totals if total is not None), default=None)
    pages = sum(bool(page) for page in attempt.pages.values()) or 1  # an empty catalog is one page that said so
    joined = tuple(_joined(earlier) if reason else sightings)
    failed = tuple(sorted(attempt.failed))
    return Walk(joined, total, pages, verified=not reason, reason=reason, fields=frozenset(fields), failed_pages=failed)


def _walk_once(endpoint: Answers, intake: Intake, page_size: int, workers: int, progress: Progress | None) -> _Attempt:
    attempt = _Attempt(intake)
    intake.begin_walk()

    def take(page: int, answer: Envelope | BadAnswer, expected: int | None) -> None:
        attempt.take(page, answer)
        if progress:
            progress(len(attempt.pages), expected)

    take(1, endpoint.ask({"page": 1, "page_size": page_size}), None)
    served = attempt.records
    (total,) = attempt.totals
    # The server may cap the page size without saying so, or ignore it. A short first page is a cap only if more is to come.
    size = served if total is None or total > served else max(served, page_size)
    expected = -(-total // size) if total is not None and size else 1
    if expected > MOST_PAGES:
        expected = 1  # a count beyond all sense is no count

    def questions() -> Iterator[Question]:
        for page in range(2, expected + 1):
            if attempt.pointless:
                return
            yield {"page": page, "page_size": page_size}

    for question, answer in endpoint.answers(questions(), workers):
        page = int(question["page"])
        if isinstance(answer, SyncError) and _is_page_failure(answer):
            attempt.fail(page, answer, expected)
        else:
            take(page, _past_the_end_perhaps(answer), expected)
    attempt.require_plausible_end()
    _walk_past_the_end(endpoint, attempt, page_size, max(size, 1), progress)
    return attempt


def _past_the_end_perhaps(answer: Envelope | SyncError) -> Envelope | BadAnswer:
    """Let a 404 or 422 pass as what it is: past the end a server may say that where another gives an empty list."""
    if isinstance(answer, Envelope | NotThere | NoSuchPage):
        return answer
    raise answer


def _is_page_failure(error: SyncError) -> bool:
    """Tell whether an error is that of one page: the server failed, answered garbage, or did not answer, at every attempt."""
    if isinstance(error, Deferred):
        return error.exhausted
    return isinstance(error, Unreachable) or (isinstance(error, BadAnswer) and error.code in _GARBAGE)


def _walk_past_the_end(endpoint: Answers, attempt: _Attempt, page_size: int, size: int, progress: Progress | None) -> None:
    """Go on while the last page is full: another may be behind it, if the count is too low, or missing."""
    while not attempt.pointless and (last := attempt.full_last_page(size)):
        beyond = _ask_past_the_end(endpoint, attempt, {"page": last + 1, "page_size": page_size})
        if beyond is None:
            return
        known = attempt.ids | ({None} if attempt.nameless else set())
        sightings = attempt.intake.take(last + 1, beyond.records or [])
        if _ids(sightings) <= known:
            # Past the end a server may serve nothing, or its last page again, or its first; and there it may count nothing.
            if beyond.total:
                attempt.totals.add(beyond.total)
            return
        if last >= MOST_PAGES:
            raise BadAnswer(f"The catalog has more than {MOST_PAGES} pages.", code="too-large")
        attempt.totals.add(beyond.total)
        attempt.keep(last + 1, sightings)
        if progress:
            progress(len(attempt.pages), None)


def _ask_past_the_end(endpoint: Answers, attempt: _Attempt, question: Question) -> Envelope | None:
    """Ask for a page behind the last one; None where nothing more is to be had."""
    try:
        return endpoint.ask(question)
    except (NotThere, NoSuchPage):
        return None
    except (BadAnswer, TryLater) as error:
        endpoint.check_deadline()
        if _reason_to_doubt(attempt):
            if not _is_page_failure(error):
                raise
            page = int(question["page"])
            attempt.fail(page, error, expected=page)
        return None  # else the count is right without it


def _ids(sightings: Iterable[Sighting]) -> set[str | None]:
    return {each.template_id for each in sightings}


def _reason_to_doubt(attempt: _Attempt) -> str:
    """Say why a walk is not verified; an empty string if it is. A record without a readable id stands for one template."""
    if attempt.failed:
        return _why_failed(attempt.failed)
    if None in attempt.totals:
        return "the catalog did not say how many templates it has"
    totals = sorted(total for total in attempt.totals if total is not None)
    if len(totals) > 1:
        shown = ", ".join(map(str, totals[:_COUNTS_SHOWN])) + (", …" if len(totals) > _COUNTS_SHOWN else "")
        return f"the catalog's count moved during the walk ({shown})"
    if attempt.repeated:
        return "the catalog served the same page twice"
    if (count := len(attempt.ids) + attempt.nameless) != totals[0]:
        return f"the catalog says that it has {totals[0]} templates, but served {count}"
    return ""


def _why_failed(failed: Mapping[int, SyncError]) -> str:
    first = min(failed)
    shown = ", ".join(map(str, sorted(failed)[:_COUNTS_SHOWN])) + (", …" if len(failed) > _COUNTS_SHOWN else "")
    why = str(failed[first]).rstrip(".")
    if len(failed) == 1:
        return f"page {first} could not be read ({why})"
    return f"{len(failed)} pages could not be read: {shown} (page {first}: {why})"


def _moved_and_changed(attempt: _Attempt, sightings: Sequence[Sighting], intake: Intake) -> bool:
    if len(attempt.ids) + attempt.nameless == attempt.records:
        return False  # nothing came twice
    first: dict[str, Sighting] = {}
    named = ((first.setdefault(each.template_id, each), each) for each in sightings if each.template_id is not None)
    return any(earlier.page != each.page and not _alike(earlier, each, intake) for earlier, each in named)


def _alike(one: Sighting, other: Sighting, intake: Intake) -> bool:
    return one.wire_hash == other.wire_hash or intake.meaning(one) == intake.meaning(other)


def _joined(attempts: list[list[Sighting]]) -> list[Sighting]:
    """Join several attempts, newest first: the newest as it is, and from each older one what is still lacking."""
    joined: list[Sighting] = []
    seen: set[str | None] = set()
    for sightings in attempts:
        joined += [each for each in sightings if each.template_id not in seen]
        seen.update(each.template_id for each in sightings)
    return joined
