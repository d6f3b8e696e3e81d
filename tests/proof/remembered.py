"""What the database holds, as a run sees it: a model of the store, of a few lines.

tests/world.py compares the real store with it after each run; core_world.py plays on it alone, which is a hundred times
as fast.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from sync.catalog.removals import SyncState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.catalog.document import Document
    from sync.store.apply import Store
    from sync.synchronise import Plan


@dataclass(frozen=True, slots=True)
class Remembered:
    """A model of `Store.load` and `load_documents`, and of what `Store.apply` does to them."""

    hashes: Mapping[str, str | None] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    state: SyncState = field(default_factory=SyncState)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read what a real database holds."""
        stored, state = store.load()
        return cls(stored, store.load_documents(sorted(stored)), state)

    def load(self) -> tuple[Mapping[str, str | None], SyncState]:
        """Give what is present, by the hash of its bytes, and what runs remember."""
        return self.hashes, self.state

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Give some of the templates whole."""
        return {template_id: self.documents[template_id] for template_id in ids}

    def after(self, planned: Plan) -> Remembered:
        """Give what it holds once a run's changes are written."""
        hashes, documents, changes = dict(self.hashes), dict(self.documents), planned.changes
        for change in (*changes.changes, *changes.unpublished):
            if change.kind == "removed":
                del hashes[change.template_id], documents[change.template_id]
                continue
            hashes[change.template_id], documents[change.template_id] = change.wire_hash, planned.document_of(change)
        assert changes.rehashed.keys() <= hashes.keys()
        return Remembered(hashes | {**changes.rehashed}, documents, planned.state)

    @property
    def key(self) -> bytes:
        """Identify the contents in a few bytes."""
        # Without times: where nothing waits for time, no run differs for them.
        held = sorted((template_id, each.runs) for template_id, each in self.state.held.items())
        unconfirmed = sorted(self.state.unconfirmed.items())
        state = held, unconfirmed, self.state.count_mismatch_ids, self.state.count_mismatch_runs
        written = json.dumps((sorted(self.hashes.items()), self.documents, state), sort_keys=True, default=str)
        return hashlib.blake2b(written.encode(), digest_size=16).digest()
