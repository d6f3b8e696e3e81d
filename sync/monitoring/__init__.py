"""Metrics, probes, heartbeat pings and staleness."""
