"""Recordings of a run's HTTP answers: format, recorder, replay."""
