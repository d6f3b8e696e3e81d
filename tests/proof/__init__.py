"""What is not sampled but exhausted, and what is thrown at the parsers; see docs/verification.md."""
