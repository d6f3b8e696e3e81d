"""What the indexes cost that are there for readers only: a first run with them and without, in turn.

    python bench/indexes.py [--templates 100000] [--rounds 3]

Prints the median wall seconds, the least and the most, and the ratios within a round, by the clock and by the program's own CPU:
on a machine that others use only those mean anything. SQLite works in the program, a server beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from databases import Databases, available, databases
from lab import simulator
from measure import Usage, environment, machine, run, spread, tell
from subjects import KEY

from sync.store.engine import open_engine
from sync.store.tables import consume_items, template_aspect_ratios, templates

FOR_READERS = [index for table in (templates, consume_items, template_aspect_ratios) for index in table.indexes]


def first_run(made: Databases, kind: str, base_url: str, *, indexed: bool) -> Usage:
    """Synchronise into a new database."""
    place = made.new(kind)
    settings = environment(
        CRUN_API_KEY=KEY, CRUN_BASE_URL=base_url, DATABASE_URL=place.url, SYNC_RATE="0", SYNC_LOG_LEVEL="error"
    )
    settings["SYNC_DEADLINE"] = "2h"
    run([sys.executable, "-m", "sync", "db", "upgrade"], settings, place.folder)
    if not indexed:
        engine = open_engine(place.url)
        for index in FOR_READERS:
            index.drop(engine)
        engine.dispose()
    took = run([sys.executable, "-m", "sync", "run"], settings, place.folder)
    made.drop(place)
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--templates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    figures: dict[str, list[tuple[Usage, Usage]]] = {kind: [] for kind in available()}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as made, simulator(given.templates, 0) as origin:
        for number in range(given.rounds):
            for kind, taken in figures.items():
                tell(f"round {number + 1}, {kind}")
                order = (True, False) if number % 2 else (False, True)  # neither always has the warmer cache
                took = {indexed: first_run(made, kind, f"{origin}/v1", indexed=indexed) for indexed in order}
                taken.append((took[True], took[False]))
        print(*machine(made.versions()), sep="\n")
    print(f"first run, {given.templates} templates, {given.rounds} rounds in turn; median (least-most)\n")
    print(f"{'':12}{'with, s':>22}{'without, s':>22}{'ratio':>22}{'ratio by CPU':>22}")
    for kind, taken in figures.items():
        pairs = [(one.wall, other.wall) for one, other in taken]
        columns = [spread([one for one, _ in pairs]), spread([other for _, other in pairs]), spread([a / b for a, b in pairs])]
        columns.append(spread([one.cpu / other.cpu for one, other in taken]))
        print(f"{kind:12}{''.join(f'{text:>22}' for text in columns)}", flush=True)


if __name__ == "__main__":
    main()
