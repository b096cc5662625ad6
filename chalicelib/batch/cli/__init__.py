"""The command line of the batch: `python -m chalicelib.batch`. Never imported on Lambda."""
