"""One module for each thing that is trained: what a step draws, what it costs, how it is logged."""
