"""How much of a crash a signature is made from, and how long it may become."""

MAXIMUM_FRAMES = 40
"""Frames of a thread that are looked at; inlined functions count."""

MAXIMUM_LENGTH = 255
"""Characters of a signature; longer ones are cut."""
