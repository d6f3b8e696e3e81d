"""Eight read-only tools over the catalog, for the Model Context Protocol."""
