"""Every template: its name in the gallery, the workflow it shows, its columns and its notes.

The gallery shows file names and nothing else, in the order of the folder; so names are words, numbered in the
order in which a person learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .layout import Column, Group


@dataclass(frozen=True)
class Note:
    """A few words at the thing they explain."""

    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """A template.

    Args:
        name: its file in `workflows/`, which is its title.
        workflow: the file in `workflows/api/` that it shows.
        yours: nodes that people change, in green.
        heights: of nodes that need more room than their class.
        inputs, result: widgets (node, name) and the node that the app of this template shows.
        opens_as_app: whether the template opens as an app where the frontend has apps.
    """

    name: str
    workflow: str
    groups: tuple[Group, ...]
    notes: Mapping[str, Note]
    yours: frozenset[int]
    heights: Mapping[int, int] = field(default_factory=dict)
    inputs: tuple[tuple[int, str], ...] = ()
    result: int | None = None
    opens_as_app: bool = False

    @property
    def app(self) -> dict[str, Any]:
        """What frontends with apps read."""
        if self.result is None:
            return {}
        chosen = {"inputs": [list(pair) for pair in self.inputs], "outputs": [self.result]}
        return {"linearData": chosen, "linearMode": self.opens_as_app}


ANY_FACE = Note(
    "Your own face",
    "Any portrait that looks at the camera. Finding its face takes one file, face_landmarker.task, in "
    "models/eadnet/faces.",
)
FPS = Note("Frames per second", "**Encode Audio** and **Create Video** need the same number: your video's.")
HAND = Note("Finding the face", "*manual* holds the box of the example's face. Empty it for your own video.")


def _talking_portrait(name: str, opens_as_app: bool) -> Page:
    return Page(
        name,
        "talking_portrait",
        (
            Group("Yours", (Column(290, (1, 2, 4), 1),)),
            Group(
                "One node makes the film",
                (Column(290, (3, "face", "take", "file")), Column(290, (5,), 5)),
                True,
            ),
            Group("The result", (Column(500, (6,)),)),
        ),
        {
            "face": Note(
                "Your own files",
                "Drop a portrait and a recording on the green titles. This model knows **drawn heads**: for "
                "a photograph open **02 Photo with emotion**.",
            ),
            "take": Note(
                "Another take",
                "Another *seed* is another film. *emotion_cfg* is how strongly the sentence shows.",
            ),
            "file": Note(
                "Where it is",
                "In output/video, written while it is made: after a crash **Run** goes on from there.",
            ),
        },
        frozenset({1, 2, 4}),
        heights={6: 700},
        inputs=((1, "image"), (2, "audio"), (4, "text"), (5, "seed")),
        result=6,
        opens_as_app=opens_as_app,
    )


def _photo(name: str, opens_as_app: bool) -> Page:
    return Page(
        name,
        "photo_with_emotion",
        (
            Group("Yours", (Column(290, (1, 2, 4), 1),)),
            Group("Face and expression", (Column(335, (5, 3, "face"), 5), Column(310, (6, 7), 6)), True),
            Group("The result", (Column(410, (9, 8, "take"), 9),)),
        ),
        {
            "face": ANY_FACE,
            "take": Note(
                "Too strong, too weak?",
                "Put **Edit Expression** in front of **Render Rig**. Another *seed* is another take. "
                "Both *fps* are one number.",
            ),
        },
        frozenset({1, 2, 4}),
        inputs=((1, "image"), (2, "audio"), (4, "text"), (6, "seed")),
        result=9,
        opens_as_app=opens_as_app,
    )


PAGES = (
    _talking_portrait("01 Talking portrait", False),
    _talking_portrait("01 Talking portrait (app)", True),
    _photo("02 Photo with emotion", False),
    _photo("02 Photo with emotion (app)", True),
    Page(
        "03 Re-emote a video",
        "re_emote_a_video",
        (
            Group("Yours", (Column(290, (1, 4, "face"), 1),)),
            Group(
                "Face and expression",
                (Column(300, (3, 5), 5), Column(290, (2, 6, "lips", "strength"), 6)),
                True,
            ),
            Group("The result", (Column(440, (8, 7), 8),)),
        ),
        {
            "face": ANY_FACE,
            "lips": Note(
                "Whose lips", "The person's own lips stay. *replace_lips* on: they say another recording."
            ),
            "strength": Note(
                "Too strong, too weak?", "**Edit Expression** in front of **Re-emote Video** changes it."
            ),
        },
        frozenset({1, 4}),
    ),
    Page(
        "04 Re-voice a video",
        "revoice_video",
        (
            Group("Yours", (Column(280, (1, 2, 4), 1),)),
            Group(
                "Find the face, generate it",
                (
                    Column(265, (3, 5, 10), 10),
                    Column(280, (6, 7, "hand"), 7),
                    Column(275, (11, 12, 13, "fps"), 11),
                ),
                True,
            ),
            Group("The result", (Column(340, (16, 15, 14), 16),)),
        ),
        {"hand": HAND, "fps": Note("Frames per second", "Both *fps*: your video's.")},
        frozenset({1, 2, 4}),
        heights={16: 530},
    ),
    Page(
        "05 Emotion timeline",
        "emotion_timeline",
        (
            Group("Yours", (Column(280, (1, 2, "lines"), 1), Column(380, (4, 16), 16))),
            Group("Face and expression", (Column(265, (6, 3, 5), 6), Column(292, (7, 8), 7)), True),
            Group("The result", (Column(310, (10, 9, "louder"), 10),)),
        ),
        {
            "lines": Note(
                "A line of the timeline",
                "*2.5 furious, brows lowered, 0.8*: seconds, sentence, and how strongly (0 to 1). The curve "
                "shows each sentence's weight.",
            ),
            "louder": Note(
                "By the voice",
                "*from_loudness* above 0: louder speech shows more of it. All *fps* are one number.",
            ),
        },
        frozenset({1, 2, 4}),
    ),
    Page(
        "06 Score and fix sync",
        "score_and_fix_sync",
        (
            Group("Yours", (Column(320, (1, 3, "example"), 1),)),
            Group(
                "Measure, and move the sound",
                (Column(290, (2, 4, 11, 9, 10), 11), Column(420, (5, 6, 7, "limit"), 6)),
                True,
            ),
            Group("The result", (Column(360, (8, 12), 8),)),
        ),
        {
            "example": Note(
                "The example",
                "Its sound is 3 frames late: *offset* counts frames of 1/25 s, positive when sound is early.",
            ),
            "limit": Note(
                "The other plot",
                "The same video through the VAE alone: no film made with it can score better.",
            ),
        },
        frozenset({1}),
        heights={5: 204, 6: 354, 12: 320},
    ),
    Page(
        "07 Caption an emotion",
        "caption_an_emotion",
        (
            Group("Yours", (Column(270, (1, 2, "face"), 1), Column(290, (16, 17, 3), 17))),
            Group("Face and expression", (Column(280, (4, 6, "backend"), 6), Column(280, (7, 8), 7)), True),
            Group("The result", (Column(340, (10, 9, 18), 10),)),
        ),
        {
            "face": Note(
                "Whose emotion",
                "Connect another face to *images*: *measured* reads it, and this portrait takes it over.",
            ),
            "backend": Note(
                "Who writes it",
                "*template*: from the two choices below. The others look at the face. Another *seed* says "
                "it in other words.",
            ),
        },
        frozenset({1, 2, 16}),
        heights={10: 530, 17: 120, 18: 220},
    ),
    Page(
        "08 Long film",
        "render_long_video",
        (
            Group("Yours", (Column(290, (1, 2, 4), 1),)),
            Group(
                "Of any length, in constant memory",
                (
                    Column(280, (6, "hand"), 6),
                    Column(260, (3, 7, "faster"), "faster"),
                    Column(240, (8, 9, "length", "crash"), 9),
                ),
                True,
            ),
            Group("The result", (Column(294, (5,), 5),), True),
        ),
        {
            "hand": HAND,
            "faster": Note(
                "Faster",
                "*moving* windows take a quarter less time. Models of 10 steps or more: *cache_interval* 3.",
            ),
            "crash": Note(
                "While it runs",
                "What is finished can be played: .partial.mp4 in the output folder. After a crash **Run** "
                "goes on, with identical frames.",
            ),
            "length": Note(
                "Sound and video differ?",
                "*length*: back and forth, loop, hold, or cut.",
            ),
        },
        frozenset({1, 2, 4}),
        heights={9: 339},
    ),
    Page(
        "09 LatentSync weights",
        "lipsync_with_latentsync",
        (
            Group("Yours", (Column(330, (1, 2, "files"), 1),)),
            Group(
                "Find the face, generate the lips",
                (
                    Column(270, (3, 5, 10), 10),
                    Column(280, (6, 7), 7),
                    Column(280, (11, 4, 12, "fps"), 11),
                ),
                True,
            ),
            Group("The result", (Column(335, (15, 14, 13), 15),)),
        ),
        {
            "files": Note(
                "Three files first",
                "latentsync_unet.pt and whisper/tiny.pt of ByteDance/LatentSync-1.6 in models/eadnet, SD "
                "1.5's VAE (vae-ft-mse-840000) in models/vae. Help (**?**) on the loader says how.",
            ),
            "fps": FPS,
        },
        frozenset({1, 2}),
        heights={15: 525},
    ),
    Page(
        "10 The parts one by one",
        "talking_portrait_in_parts",
        (
            Group("Yours", (Column(280, (1, 2, 4), 1),)),
            Group(
                "Encode, denoise, decode",
                (
                    Column(260, (3, 5, 6), 6),
                    Column(270, (7, 8, "frames"), 7),
                    Column(260, (9, 10, 11, 12), 9),
                ),
                True,
            ),
            Group("The result", (Column(380, (14, 13, "fps"), 14),)),
        ),
        {
            "frames": Note("Length", "**Encode Audio** counts the frames; all others take its number."),
            "fps": FPS,
        },
        frozenset({1, 2, 4}),
        heights={9: 330},
    ),
    Page(
        "11 A performance moves a portrait",
        "performance_moves_a_portrait",
        (
            Group("Yours", (Column(275, (1, 2, "who"), 1),)),
            Group(
                "Face and expression",
                # Editing stands alone: Nodes 2.0 of 1.58 keeps its text's height when the curves come below.
                (Column(275, (3, 6, "more"), 3), Column(270, (4, 7), 4), Column(290, (5,))),
                True,
            ),
            Group("The result", (Column(410, (9, 8), 9),)),
        ),
        {
            "who": Note("The performance", "It moves the portrait."),
            "more": Note(
                "More or less of it",
                "0 takes a movement away, 2 doubles it. Finding a face takes face_landmarker.task, in "
                "models/eadnet/faces.",
            ),
        },
        frozenset({1, 2}),
    ),
    Page(
        "12 Photo with LatentSync lips",
        "photo_rig_with_latentsync_lips",
        (
            Group("Yours", (Column(225, (1, 2, 4), 1),)),
            Group(
                "The photo moves, then LatentSync draws its lips",
                (
                    Column(215, (3, 5, 9), 5),
                    Column(284, (6, 7), 6),
                    Column(230, (8, 10), 10),
                    Column(293, (11,)),
                ),
                True,
            ),
            Group("The result", (Column(255, (12, "files", "lips"), 12),)),
        ),
        {
            "files": Note(
                "Three files first",
                "LatentSync's U-Net and Whisper in models/eadnet, SD 1.5's VAE in models/vae. Help (**?**) "
                "on **Load LatentSync** says how.",
            ),
            "lips": Note(
                "First the photo, then its lips",
                "The photo speaks by its own pixels. Then LatentSync draws mouth and chin anew.",
            ),
        },
        frozenset({1, 2, 4}),
        heights={12: 480},
    ),
    Page(
        "13 Core sampler",
        "cores_sampler",
        (
            Group("Yours", (Column(250, (1, 2, 4), 1),)),
            Group(
                "Sound, emotion and face for core",
                (Column(225, (3, 5, 6), 6), Column(230, (7, 8, 9, "model"), 7)),
                True,
            ),
            Group(
                "Core samples", (Column(240, (10, 11, 12, "cfg"), 10), Column(248, (13, 14, 15), 13)), True
            ),
            Group("The result", (Column(282, (17, 16, "patches"), 17),)),
        ),
        {
            "model": Note(
                "Core's MODEL",
                "**to MODEL**, **Apply Conditioning** and **Custom Sampling** are all it needs.",
            ),
            "cfg": Note(
                "Two strengths",
                "*cfg_conds* is our *emotion_cfg*, the other one *audio_cfg*.",
            ),
            "patches": Note(
                "LoRA and patches",
                "Between **to MODEL** and the guider: Load LoRA (Model only), TorchCompileModel, Context "
                "Windows (Manual) with dim 0.",
            ),
        },
        frozenset({1, 2, 4}),
    ),
    Page(
        "14 Ablation side by side",
        "ablation_side_by_side",
        (
            Group("Yours", (Column(220, (1, 2, 4), 1),)),
            Group("The same for both", (Column(220, (3, 5, 6), 6),), True),
            Group("With, and without", (Column(240, (7, 8, 9), 7), Column(240, (10, 11, 12), 10)), True),
            Group("The result", (Column(330, (16, 15, "one"), 16), Column(215, (13, 14, "others"), 13))),
        ),
        {
            "one": Note(
                "One thing less",
                "Both have one *seed*. The right take has no *emotion*: what differs, the sentence did.",
            ),
            "others": Note(
                "Other ablations",
                "Take **TFRM Smoother** out of one row, or put **Speed Up** in front of one sampler.",
            ),
        },
        frozenset({1, 2, 4}),
    ),
)
