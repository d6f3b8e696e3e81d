"""Recordings of a run's HTTP responses: format, recorder, replay."""
