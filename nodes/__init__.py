"""The ComfyUI nodes: one topic per file, each a schema and a few lines that call `eadnet`."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import host
from .audio import EADNetAudioEncode
from .emotion import EADNetEmotionEncode
from .emotion_caption import EADNetEmotionCaption
from .emotion_timeline import EADNetEmotionTimeline
from .expression import EADNetEditExpression, EADNetExpressionFromSpeech, EADNetExpressionFromVideo
from .face_rig import EADNetFaceRig, EADNetRenderRig
from .faces import EADNetFaceComposite, EADNetFaceTrack, EADNetFaceTrackPreview
from .loaders import EADNetCheckpointLoader, EADNetLatentSyncLoader
from .metrics import EADNetSyncScore, EADNetVideoMetrics
from .native import EADNetConditioning, EADNetCustomSampling, EADNetToModel
from .prepare import EADNetPrepare
from .re_emote import EADNetReEmote
from .render import EADNetRenderVideo
from .sampler import EADNetSampler
from .speed_up import EADNetSpeedUp
from .tfrm import EADNetTFRMSmoother

NODES: list[type[io.ComfyNode]] = [
    EADNetCheckpointLoader,
    EADNetLatentSyncLoader,
    EADNetAudioEncode,
    EADNetEmotionEncode,
    EADNetPrepare,
    EADNetSampler,
    EADNetTFRMSmoother,
    EADNetSyncScore,
    EADNetVideoMetrics,
    EADNetEmotionCaption,
    EADNetEmotionTimeline,
    EADNetFaceTrack,
    EADNetFaceComposite,
    EADNetFaceTrackPreview,
    EADNetRenderVideo,
    EADNetFaceRig,
    EADNetExpressionFromSpeech,
    EADNetExpressionFromVideo,
    EADNetEditExpression,
    EADNetRenderRig,
    EADNetReEmote,
    EADNetToModel,
    EADNetConditioning,
    EADNetCustomSampling,
    EADNetSpeedUp,
]


class EADNetExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        # Here and not in on_load, which older versions never call.
        host.register_model_folder()
        host.register_routes()
        host.offer_examples()
        return NODES
