"""What the database holds, as a run sees it: a model of the store, of a few lines.

small_world.py holds the real store against it after each of its runs; core_world.py plays on it alone, which is a hundred times
as fast.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from sync.catalog.diff import Previous
from sync.catalog.hashes import content_hash
from sync.catalog.sync_state import SyncState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.catalog.template import Document
    from sync.store.apply import Store
    from sync.synchronise import Plan


@dataclass(frozen=True, slots=True)
class Remembered:
    """A model of `Store.load`, `load_documents` and `content_hash`, and of what `Store.apply` does to them."""

    hashes: Mapping[str, str | None] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    wire_fields: frozenset[str] | None = None
    absent_fields: frozenset[str] = frozenset()
    state: SyncState = field(default_factory=SyncState)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read what a real database holds."""
        previous, state = store.load()
        documents = store.load_documents(sorted(previous.known))
        return cls(previous.known, documents, previous.wire_fields, previous.absent_fields, state)

    def load(self) -> tuple[Previous, SyncState]:
        """Give what is present, by the hash of its bytes, and what runs remember."""
        return Previous(self.hashes, self.wire_fields, self.absent_fields), self.state

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Give some of the templates whole."""
        return {template_id: self.documents[template_id] for template_id in ids}

    def content_hash(self, template_id: str) -> str:
        """Give the hash of what one template means."""
        return content_hash(self.documents[template_id])

    def after(self, planned: Plan) -> Remembered:
        """Give what it holds once a run's changes are written."""
        hashes, documents, changes = dict(self.hashes), dict(self.documents), planned.changes
        for change in (*changes.changes, *changes.unpublished):
            if change.kind == "removed":
                del hashes[change.template_id], documents[change.template_id]
                continue
            document = planned.intake.load(change.reading).document
            assert document is not None
            hashes[change.template_id], documents[change.template_id] = change.wire_hash, document
        assert changes.respelled.keys() <= hashes.keys()
        return Remembered(hashes | {**changes.respelled}, documents, changes.wire_fields, changes.absent_fields, planned.state)

    @property
    def key(self) -> bytes:
        """Say it all in a few bytes, so that what is equal is equal."""
        fields = sorted(self.wire_fields or ()), sorted(self.absent_fields)
        # Without times: where nothing waits for time, no run differs for them.
        held = sorted((template_id, each.runs) for template_id, each in self.state.held.items())
        unconfirmed = sorted(self.state.unconfirmed.items())
        state = held, unconfirmed, self.state.count_mismatch_ids, self.state.count_mismatch_runs
        written = json.dumps((sorted(self.hashes.items()), self.documents, fields, state), sort_keys=True)
        return hashlib.blake2b(written.encode(), digest_size=16).digest()
