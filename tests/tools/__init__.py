"""Other people's tools, each opened on what a synchronisation wrote; run by `test_tools.py` in an environment of their own."""
