"""The first page, and the first page of each product."""
