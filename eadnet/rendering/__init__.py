"""From pictures, sound and text to the pixels of a talking face.

A `Scene` (from files: `open_scene`, from arrays: `scene_in_memory`), the `Networks` of a `Model` and a
`Sampling` (from `RenderSettings`) give frames: `render_frames`, or a video: `render_to_file`.
"""

from __future__ import annotations

from .croppers import CentreCropper, Cropper, TrackCropper
from .estimate import Estimate, estimate_render
from .face_check import NoFaceInPlace, centred_crop, check_face_in_place
from .film import RenderedFile
from .finite_vae import Coder, FiniteVAE
from .frames import render_frames, render_latents
from .inputs import Sources, open_pictures, open_scene, scene_in_memory, speech_of
from .memory import VAE_BATCH
from .model import Model, load_model
from .networks import Networks
from .photograph import photograph_note
from .progress import OnProgress, StageProgress
from .scene import Scene
from .settings import RenderSettings
from .to_file import SMALLEST_WINDOW, render_to_file

__all__ = [
    "SMALLEST_WINDOW",
    "VAE_BATCH",
    "CentreCropper",
    "Coder",
    "Cropper",
    "Estimate",
    "FiniteVAE",
    "Model",
    "Networks",
    "NoFaceInPlace",
    "OnProgress",
    "RenderSettings",
    "RenderedFile",
    "Scene",
    "Sources",
    "StageProgress",
    "TrackCropper",
    "estimate_render",
    "centred_crop",
    "check_face_in_place",
    "load_model",
    "open_pictures",
    "open_scene",
    "photograph_note",
    "render_frames",
    "render_latents",
    "render_to_file",
    "scene_in_memory",
    "speech_of",
]
