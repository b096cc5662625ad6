"""What it costs to read the events of other fronts than a REST API: `python -m benchmarks.fronts`."""
