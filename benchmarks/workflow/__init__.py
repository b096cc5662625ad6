"""The workflow on this machine's AWS, whole and with each failure."""
