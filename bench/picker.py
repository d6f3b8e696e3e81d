"""Ask what a template picker asks, as an app would: with nothing but the URL of the SQLite file.

python bench/picker.py FILE
"""

from __future__ import annotations

import sqlite3
import sys

QUERY = """
SELECT t.template_id, t.title_en, t.cover_url, p.credit
FROM current_templates t JOIN current_prices p ON p.template_id = t.template_id
WHERE p.resolution = '720p' AND t.input_num = 1 AND t.input_requirement = 'SINGLE_PERSON'
ORDER BY p.credit, t.template_id LIMIT 10
"""


def main(file: str) -> None:
    """Print what it finds."""
    connection = sqlite3.connect(file)
    for row in connection.execute(QUERY):
        print(*row)
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
