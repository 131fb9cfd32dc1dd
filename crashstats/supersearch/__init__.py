"""Super Search: what people type in an address or a form becomes a checked query."""
