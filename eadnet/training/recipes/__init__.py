"""From nothing to a checkpoint: which data, networks and tasks, in which order.

The drawn world enters here alone.
"""
