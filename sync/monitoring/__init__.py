"""Metrics, probes and heartbeat pings."""
