"""What the rig does to pictures of faces, measured by a reader that it does not use."""
