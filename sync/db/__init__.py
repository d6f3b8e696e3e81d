"""The database: its tables, how to reach it, who may write, and what readers ask."""
