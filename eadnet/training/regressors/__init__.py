"""Training of the networks that predict facial parameters from pictures or latents, frozen afterwards."""
