"""How well a driver of the rig speaks, feels, blinks and moves, on held-out recordings whose truth is known."""
