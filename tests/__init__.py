"""The tests. Each file's names are sentences; `pytest tests/client/test_walk.py -v` reads as a description of the walk."""
