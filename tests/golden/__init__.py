"""Outputs for people, as files; `python -m tests.golden` writes them again, and the diff is reviewed."""
