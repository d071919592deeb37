"""Local stand-ins: a PostgreSQL server and the sample communities."""
