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
from typing import TYPE_CHECKING, Any

from sync.recording.replay import open_recording
from sync.sandbox.server import Sandbox
from tests.builders import run_against

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sync.synchronise import Outcome

RECORDINGS = Path(__file__).parent / "data" / "recordings"


def replay(file: Path, engine: Engine) -> Outcome:
    """Run once against a recording, with the settings and the random numbers of the recorded run."""
    recording = open_recording(file)
    settings = recording.run.settings
    options: dict[str, Any] = {
        "page_size": int(settings["page_size"]), "concurrency": int(settings["concurrency"]),
        "max_removed": Decimal(settings["max_removed"]), "hold": float(settings.get("hold", 3600)),
    }  # fmt: skip
    numbers = random.Random(recording.run.seed).random  # noqa: S311 - as in the recorded run
    with Sandbox((), replay=recording) as sandbox:
        return run_against(sandbox.url, engine, random=numbers, **options)
