"""Run a step over the fields of a study: executors, progress, cancel, resume."""
