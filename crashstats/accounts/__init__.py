"""People: accounts, groups, permissions, signing in."""
