"""Care of monthly partitions: made ahead of time, archived into the lake when they are old, then detached."""
