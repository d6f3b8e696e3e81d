"""Write the golden files again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["SYNC_TEST_RENEW_GOLDEN"] = "1"
    sys.exit(pytest.main(["-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", str(Path(__file__).parent)]))
