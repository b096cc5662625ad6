"""What the user names, a file, a folder or a network, to a source."""
