"""A short model of the store: the contents that a run loads, and their change by a run.

tests/world.py compares the real store with it after each run; core_world.py uses only the model, which is a hundred times as
fast.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from sync.catalog.removals import SyncState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.catalog.diff import Change, ChangeSet
    from sync.catalog.document import Document
    from sync.catalog.plan import Plan
    from sync.store.apply import Store


def apply_changes(
    changes: ChangeSet, document_of: Callable[[Change], Document], hashes: dict[str, str | None], documents: dict[str, Document]
) -> None:
    """Write the changes of a run into the stored hashes and documents, both by id."""
    for change in (*changes.changes, *changes.unpublished):
        if change.kind == "removed":
            del hashes[change.template_id], documents[change.template_id]
        else:
            hashes[change.template_id], documents[change.template_id] = change.wire_hash, document_of(change)
    assert changes.rehashed.keys() <= hashes.keys()
    hashes |= changes.rehashed


@dataclass(frozen=True, slots=True)
class StoreModel:
    """A model of `Store.load` and `load_documents`, and of what `Store.apply` does to them."""

    hashes: Mapping[str, str | None] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    state: SyncState = field(default_factory=SyncState)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read the contents of a real database."""
        stored, state = store.load()
        return cls(stored, store.load_documents(sorted(stored)), state)

    def load(self) -> tuple[Mapping[str, str | None], SyncState]:
        """Return the hashes of present templates by id, and the state."""
        return self.hashes, self.state

    def load_documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Return documents by id."""
        return {template_id: self.documents[template_id] for template_id in ids}

    def after(self, planned: Plan) -> StoreModel:
        """Return the contents after the changes of a run."""
        hashes, documents = dict(self.hashes), dict(self.documents)
        apply_changes(planned.changes, planned.document_of, hashes, documents)
        return StoreModel(hashes, documents, planned.state)

    @property
    def key(self) -> bytes:
        """Return a hash of the contents."""
        # Without times: runs do not depend on them if SYNC_HOLD is 0.
        held = sorted((template_id, each.runs) for template_id, each in self.state.held.items())
        unconfirmed = sorted(self.state.unconfirmed.items())
        state = held, unconfirmed, self.state.count_mismatch_ids, self.state.count_mismatch_runs
        written = json.dumps((sorted(self.hashes.items()), self.documents, state), sort_keys=True, default=str)
        return hashlib.blake2b(written.encode(), digest_size=16).digest()
