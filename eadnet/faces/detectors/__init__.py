"""Face detectors, each in a file of its own."""
