"""Breakpad symbol files: their names, where they lie, and whether one is sound."""
