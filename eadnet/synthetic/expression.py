"""The facial parameters that drive the synthetic heads: those of `eadnet.rig.expression`, below."""

from ..rig.expression import (
    EMOTIONS,
    HEAD_POSE,
    INDEX,
    PARAMETERS,
    RANGES,
    emotion_expression,
    expression,
    neutral,
)

__all__ = [
    "EMOTIONS",
    "HEAD_POSE",
    "INDEX",
    "PARAMETERS",
    "RANGES",
    "emotion_expression",
    "expression",
    "neutral",
]
