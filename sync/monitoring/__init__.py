"""Metrics, probes, heartbeat pings, systemd notifications, staleness."""
