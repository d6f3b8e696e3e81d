"""Clusters started by the tests: failover, frozen and isolated nodes. These tests are long."""
