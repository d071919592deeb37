"""The pages of `docs/` that are generated; a test fails when one is stale. Not here: what they say of each thing."""
