"""The long-running service: when runs are due, the scheduler with its signals, and one scheduled run."""
