"""The networks, one idea per file: the U-Net, its attention parts, the encoders and the SyncNets."""
