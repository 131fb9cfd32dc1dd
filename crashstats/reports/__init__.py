"""The page of one crash report."""
