"""Everything on one machine by one command: the embedded PostgreSQL, the supervisor, the first start."""
