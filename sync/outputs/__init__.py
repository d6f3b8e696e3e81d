"""PURE. What every JSON output looks like, as JSON Schema (2020-12): written by hand, a family a file; `index` has them all."""
