"""The served code: everything here runs on Lambda, so every import must earn its milliseconds."""
