"""Scripts with tools of apps that open a synchronised database; `test_tools.py` runs them in a separate environment."""
