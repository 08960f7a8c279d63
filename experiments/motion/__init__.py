"""How well a driver of the rig speaks, feels, blinks and moves: on held-out recordings with a known truth."""
