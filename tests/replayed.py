"""A recording as a test: the responses that a user received from the real API, with the same random numbers, without a network.

    def test_the_recorded_run_succeeds(sqlite: Database) -> None:
        outcome = replay(RECORDINGS / "seen.jsonl", sqlite.engine)
        assert outcome.run.status is Status.SUCCEEDED

If the result depends on earlier runs, replay their recordings first, or open the user's backup.
"""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sync.catalog.removals import RunOptions
from sync.client.api_client import ApiClient
from sync.recording.replay import open_recording
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from sync.store.apply import Store
from sync.synchronise import Outcome, synchronise
from tests.builders import HASTY, make_settings, ticking

if TYPE_CHECKING:
    from sqlalchemy import Engine

RECORDINGS = Path(__file__).parent / "data" / "recordings"


def replay(file: Path, engine: Engine) -> Outcome:
    """Run once against a recording, with the settings and the random numbers of the recorded run."""
    recording = open_recording(file)
    settings = recording.run.settings
    options = RunOptions(
        int(settings["page_size"]), int(settings["concurrency"]), Decimal(settings["max_removed"]),
        hold=float(settings.get("hold", 3600)),
    )  # fmt: skip
    dice = random.Random(recording.run.seed).random  # noqa: S311 - as in the recorded run
    with (
        Sandbox((), replay=recording) as sandbox,
        ApiClient(make_settings(sandbox.url), SANDBOX_KEY, retry_policy=HASTY) as endpoint,
    ):
        store = Store(engine, sleep=lambda _: None)
        return synchronise(store, endpoint, options, trigger="run", ttl=60.0, clock=ticking(), random=dice)
