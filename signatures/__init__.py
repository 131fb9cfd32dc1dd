"""Crash signatures: one short line per crash, by which crashes are grouped, searched and counted.

The package imports the standard library only and can be used by itself: as a library
(``SignatureGenerator().generate(crash_data)``) and as a program (``python -m signatures --help``).
"""
