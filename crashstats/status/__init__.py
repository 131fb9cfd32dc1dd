"""How the system is doing: for people, for probes and for machines."""
