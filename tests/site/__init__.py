"""The gallery: the written files, and their behaviour in a real browser."""
