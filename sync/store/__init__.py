"""SQL: the tables, who may write, and writing a run in one transaction."""
