"""Where the face is and which part of it is generated: alignment, masks, crops."""
