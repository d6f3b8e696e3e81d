"""Faults and attacks in tables: a new attack is a new row."""
