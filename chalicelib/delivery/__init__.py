"""Brings a model bundle from S3 to the disk of this process: `MODEL_URI`. Only a process that has one imports it."""
