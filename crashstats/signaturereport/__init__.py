"""The list of signatures, and the page of one signature."""
