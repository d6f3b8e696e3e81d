"""An imitation of the API on loopback: a sample catalog that changes, and its covers and previews."""
