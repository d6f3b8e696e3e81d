"""PURE. What a template is, and every rule about what changed: no I/O, no clock."""
