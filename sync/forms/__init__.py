"""PURE. The form of a template: JSON Schema, example, validation, request of a generation task."""
