"""A faithful imitation of Crun's endpoint: a sample catalog, and a server of it on loopback."""
