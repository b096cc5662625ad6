"""The workflow: a state machine that compares two models on many pictures."""
