"""Queries on the stored catalog: present, past, the change feed, prices and status."""
