"""EAD-Net: emotion-aware talking heads. The library; it knows nothing of ComfyUI."""

__version__ = "0.1.0"
