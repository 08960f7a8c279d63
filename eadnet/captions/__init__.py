"""Descriptions of faces: one schema, four ways to get one, words for it, and curves of them over time."""

from __future__ import annotations

from .base import Captioned, Captioner
from .schema import EMOTIONS, ActionUnit, Description

__all__ = ["EMOTIONS", "ActionUnit", "Captioned", "Captioner", "Description"]
