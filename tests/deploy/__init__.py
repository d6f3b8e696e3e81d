"""The files under deploy/ and the Dockerfile are valid for their tools and have the documented properties.

If a tool is not installed, its test is skipped with the reason. systemd-analyze must be installed in CI.
"""
