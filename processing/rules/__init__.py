"""The rules of the pipeline: one rule, one small fact."""
