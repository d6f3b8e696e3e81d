"""Exhaustive and random checks of the core and the parsers; see docs/verification.md."""
