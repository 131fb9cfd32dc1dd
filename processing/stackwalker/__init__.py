"""Walk the stacks of a minidump with rust-minidump's ``minidump-stackwalk``, within bounds."""
