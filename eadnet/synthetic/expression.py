"""The facial parameters that drive the synthetic heads: the rig's, which stands below (`eadnet.rig.expression`)."""

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
