"""Audio and images as tensors: reading, resampling, spectral features, video files, contact sheets."""
