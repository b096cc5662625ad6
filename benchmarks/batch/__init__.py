"""The batch: pictures a second in a folder, and the proof that each picture gets one result."""
