"""Database access: tables, connections, migrations, the lease, and the transaction that applies a run."""
