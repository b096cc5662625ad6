"""Pictures that cost much: made at, under and over every limit, byte by byte, so that no encoder softens them."""
