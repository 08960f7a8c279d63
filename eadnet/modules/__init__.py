"""The networks, one idea per file: the denoiser, its attention parts, the encoders and the SyncNets."""
