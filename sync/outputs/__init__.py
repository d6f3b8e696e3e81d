"""PURE. Every JSON output as a msgspec struct, from which the JSON Schemas (2020-12) are generated."""
