"""A sandbox with the layout of Lambda's file system, made by bubblewrap from Linux's namespaces."""
