"""A local stand-in: a PostgreSQL server of the state folder. What its databases hold is no business of this package."""
