"""Power tuning without an account: the function as deployed, with the processor that each memory size buys."""
