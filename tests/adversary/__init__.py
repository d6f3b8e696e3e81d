"""Who could lie to this program, in tables: a new attack is a new line."""
