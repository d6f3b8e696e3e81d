"""Servers of several nodes, of a test's own, that fail over, freeze and fall apart. They take long."""
