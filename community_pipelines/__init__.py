"""Community pipelines."""
