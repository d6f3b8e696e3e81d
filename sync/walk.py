"""Walk every page of a catalog that may move meanwhile, and say whether what came back can be believed.

A walk is verified when the distinct ids equal the catalog's own count, that count held still on every page, and no page
came twice. Otherwise the walk is made again, a bounded number of times. What a walk cannot see (a template that moved
from an unread page to a read one while another took its place) is why a removal needs a second witness: `look_up`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from sync.errors import BadAnswer, DeadlineExceeded, Interrupted, SyncError, TryLater
from sync.snapshot import without_query
from sync.validate import Placed, record_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sync.decode import Envelope

MOST_WALKS = 3
MOST_PAGES = 10_000
MOST_RECORDS = 500_000
MOST_EMPTY_PAGES = 3
_END_CODES = frozenset({"404", "422"})


class Ask(Protocol):
    """Ask the endpoint one question; `sync.fetch.Endpoint.ask` is the real one."""

    async def __call__(self, **question: str | int) -> Envelope:
        """Give the answer, or raise a SyncError."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What walking the catalog brought.

    Attributes:
        records: every record with its place. Of an unverified walk, what all attempts together were served.
        total: the catalog's own count, None if it never gave one.
        pages: pages that held something, in the last attempt; at least one.
        verified: whether absence from `records` is evidence.
        doubt: why not, one phrase.
    """

    records: tuple[Placed, ...]
    total: int | None
    pages: int
    verified: bool
    doubt: str = ""


class Verdict(StrEnum):
    """What a look-up by id proved."""

    GONE = "gone"
    THERE = "there"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LookUp:
    """A look-up's verdict, with the template's records where there are any: two different ones dispute each other."""

    verdict: Verdict
    records: tuple[Placed, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """One walk in progress."""

    pages: dict[int, list[Any]] = field(default_factory=dict)
    totals: set[int | None] = field(default_factory=set)
    contents: set[tuple[str | None, ...]] = field(default_factory=set)
    refused: dict[int, BadAnswer] = field(default_factory=dict)
    records: int = 0
    empty: int = 0
    repeated: bool = False

    def take(self, page: int, answer: Envelope | BadAnswer) -> None:
        """Keep one page; a 404 or 422 may mean that it lies past the end."""
        if isinstance(answer, BadAnswer):
            self.refused[page] = answer
        records = [] if isinstance(answer, BadAnswer) else answer.records or []
        ids = tuple(record_id(record) for record in records)
        self.repeated = self.repeated or (bool(ids) and ids in self.contents)
        self.contents.add(ids)
        if not isinstance(answer, BadAnswer):
            self.totals.add(answer.total)
        self.pages[page] = records
        self.records += len(records)
        self.empty += not records
        if self.records > MOST_RECORDS:
            raise BadAnswer(f"The catalog served more than {MOST_RECORDS} records.", code="too-large")

    def knows_all(self, answer: Envelope) -> bool:
        """Whether a page brings nothing new: past the end a server may serve nothing, or its last page again, or its first."""
        new = {record_id(record) for record in answer.records or []}
        return new <= {found for ids in self.contents for found in ids if found is not None}

    def require_plausible_end(self) -> None:
        """Refuse a 404 or 422 in the middle of the list: with templates behind it, it does not mean the end.

        Raises:
            BadAnswer: that 404 or 422.
        """
        last = max(page for page, records in self.pages.items() if records or page == 1)
        if early := [page for page in self.refused if page < last]:
            raise self.refused[min(early)]

    @property
    def pointless(self) -> bool:
        """Whether further pages would only repeat what is known: the server ignores `page`, or the count is far too high."""
        return self.repeated or self.empty > MOST_EMPTY_PAGES

    def placed(self) -> list[Placed]:
        return [Placed(page, position, record) for page in sorted(self.pages) for position, record in enumerate(self.pages[page])]


async def walk(ask: Ask, *, page_size: int, lanes: int, progress: Callable[[int, int | None], None] | None = None) -> Walk:
    """Walk the catalog until a walk is verified, at most MOST_WALKS times.

    Args:
        ask: asks the endpoint.
        page_size: templates per page to ask for; what the server really gives is what counts.
        lanes: pages in flight at once.
        progress: told (pages so far, pages expected or None) after each page.
    """
    earlier: list[list[Placed]] = []
    for remaining in reversed(range(MOST_WALKS)):
        attempt = await _walk_once(ask, page_size, lanes, progress)
        records = attempt.placed()
        doubt = _doubt(attempt, records)
        if not doubt and remaining and _moved_and_changed(records):
            doubt = "a template was served on two pages, with different contents"
        if not doubt:
            break
        earlier.insert(0, records)
    total = max((total for total in attempt.totals if total is not None), default=None)
    pages = sum(bool(page) for page in attempt.pages.values()) or 1  # an empty catalog is one page that said so
    return Walk(tuple(_joined(earlier) if doubt else records), total, pages, verified=not doubt, doubt=doubt)


async def _walk_once(ask: Ask, page_size: int, lanes: int, progress: Callable[[int, int | None], None] | None) -> _Attempt:
    attempt = _Attempt()

    async def take(page: int, expected: int | None) -> None:
        attempt.take(page, await _page(ask, page, page_size))
        if progress:
            progress(len(attempt.pages), expected)

    await take(1, None)
    served = attempt.records
    (total,) = attempt.totals
    # The server may cap the page size without saying so, or ignore it. A short first page is a cap only if more is to come.
    size = served if total is None or total > served else max(served, page_size)
    expected = -(-total // size) if total is not None and size else 1
    if expected > MOST_PAGES:
        expected = 1  # a count beyond all sense is no count
    numbers = iter(range(2, expected + 1))

    async def lane() -> None:
        for page in numbers:
            if attempt.pointless:
                return
            await take(page, expected)

    await _all_or_first_error([lane() for _ in range(min(lanes, expected - 1))])
    attempt.require_plausible_end()
    await _past_the_end(ask, attempt, page_size, max(size, 1))
    return attempt


async def _past_the_end(ask: Ask, attempt: _Attempt, page_size: int, size: int) -> None:
    """Go on while the last page is full: another may be behind it, if the count is too low, or missing."""
    while not attempt.pointless and len(attempt.pages[last := max(attempt.pages)]) >= size:
        if last >= MOST_PAGES:
            raise BadAnswer(f"The catalog has more than {MOST_PAGES} pages.", code="too-large")
        try:
            beyond = await _page(ask, last + 1, page_size)
        except (BadAnswer, TryLater):
            if _doubt(attempt, attempt.placed()):
                raise
            return  # the count is right without it
        if isinstance(beyond, BadAnswer):
            return
        if attempt.knows_all(beyond):
            if beyond.total:  # past the end a server may count nothing
                attempt.totals.add(beyond.total)
            return
        attempt.take(last + 1, beyond)


async def _all_or_first_error(lanes: Sequence[Any]) -> None:
    """Run the lanes; the first error stops all of them and is raised as it is, not inside a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(lane)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def _page(ask: Ask, page: int, page_size: int) -> Envelope | BadAnswer:
    """Ask for one page. Past the end a server may say 404 or 422 where another gives an empty list: that is given as it is."""
    try:
        return await ask(page=page, page_size=page_size)
    except BadAnswer as error:
        if error.code in _END_CODES and page > 1:
            return error
        raise


def _doubt(attempt: _Attempt, records: list[Placed]) -> str:
    """Say why a walk cannot be believed; an empty string if it can."""
    if None in attempt.totals:
        return "the catalog did not say how many templates it has"
    totals = sorted(total for total in attempt.totals if total is not None)
    if len(totals) > 1:
        return f"the catalog's count moved during the walk ({', '.join(map(str, totals))})"
    if attempt.repeated:
        return "the catalog served the same page twice"
    if (count := _distinct(records)) != totals[0]:
        return f"the catalog says that it has {totals[0]} templates, but served {count}"
    return ""


def _distinct(records: list[Placed]) -> int:
    """Count distinct ids; a record without a readable id stands for one template of its own."""
    ids = [record_id(placed.record) for placed in records]
    return len({found for found in ids if found is not None}) + ids.count(None)


def _moved_and_changed(records: list[Placed]) -> bool:
    first: dict[str, Placed] = {}
    for placed in records:
        found = record_id(placed.record)
        if found is not None:
            earlier = first.setdefault(found, placed)
            if earlier.page != placed.page and not _alike(earlier.record, placed.record):
                return True
    return False


def _alike(one: Any, other: Any) -> bool:
    try:
        return bool(without_query(one) == without_query(other))
    except RecursionError:  # nested too deeply to compare; `validate` will not take it either
        return False


def _joined(attempts: list[list[Placed]]) -> list[Placed]:
    """Join several attempts, newest first: the newest as it is, and from each older one what is still lacking."""
    joined: list[Placed] = []
    seen: set[str | None] = set()
    for records in attempts:
        joined += [placed for placed in records if record_id(placed.record) not in seen]
        seen.update(record_id(placed.record) for placed in records)
    return joined


async def look_up(ask: Ask, ids: Sequence[str], *, lanes: int) -> dict[str, LookUp]:
    """Ask for each id by itself.

    Only a plain "not there" proves that a template is gone: an empty list, or 404 in the body or as the HTTP status. An
    answer with other templates, an error or a rate limit proves nothing; after a rate limit or a failure that will not
    pass soon, the rest is not asked.
    """
    found = dict.fromkeys(ids, LookUp(Verdict.UNKNOWN))
    hopeless = False

    async def lane(queue: Iterable[str]) -> None:
        nonlocal hopeless
        for template_id in queue:
            if hopeless:
                return
            try:
                found[template_id] = _verdict(template_id, (await ask(template_id=template_id)).records or [])
            except (DeadlineExceeded, Interrupted):
                raise
            except SyncError as error:
                if error.code == "404":
                    found[template_id] = LookUp(Verdict.GONE)
                elif isinstance(error, TryLater) or not isinstance(error, BadAnswer):
                    hopeless = True

    queue = iter(ids)
    await _all_or_first_error([lane(queue) for _ in range(min(lanes, len(ids)))])
    return found


def _verdict(template_id: str, records: list[Any]) -> LookUp:
    if not records:
        return LookUp(Verdict.GONE)
    own = tuple(Placed(0, position, record) for position, record in enumerate(records) if record_id(record) == template_id)
    return LookUp(Verdict.THERE if own else Verdict.UNKNOWN, own)
