"""Power tuning without an account: runs the deployed function with the processor share of each memory size."""
