"""Whether a load is held: a model of how Lambda and what stands before it scale, fed with measured times."""
