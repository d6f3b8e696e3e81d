"""The long-running service and what an operator's tools see of it."""
