"""Fixtures of the proofs."""

from tests.faults import tell

__all__ = ["tell"]
