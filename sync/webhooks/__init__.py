"""Being told, the pure part: which change is told to whom, in which words, and when it is tried again."""
