"""Metrics, probes, heartbeat pings, systemd notifications and staleness."""
