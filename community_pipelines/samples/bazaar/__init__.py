"""The sample of the gallery: its people and projects, its templates by way of ingest, its events."""
