"""What training reads: folders of clips, stills, speech and their latents. Who made them does not matter."""
