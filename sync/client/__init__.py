"""The API client: requests, the walk over all pages, confirmation of removals."""
