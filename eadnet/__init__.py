"""EAD-Net: emotion-aware talking heads. The library; it does not import ComfyUI."""

__version__ = "0.1.0"
