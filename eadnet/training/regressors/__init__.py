"""Training of the networks that read facial parameters from pictures or latents, frozen once they are trained."""
