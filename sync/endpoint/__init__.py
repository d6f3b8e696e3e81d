"""The wire: how the catalog is asked, what an answer means, the walk."""
