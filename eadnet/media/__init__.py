"""Sound and pictures as tensors: reading, resampling, spectral features, video files, contact sheets."""
