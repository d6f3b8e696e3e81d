"""The catalog as a static site: read once, rendered by Jinja2, written so that a reader never meets a half."""
