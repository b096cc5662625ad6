"""The library that arm64 needs on Lambda, where cpuinfo finds no list of processors: source and LD_PRELOAD."""
