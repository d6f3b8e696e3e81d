"""The gallery: what is written, and how it does in a real browser."""
