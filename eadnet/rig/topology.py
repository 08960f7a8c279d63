"""Which point of MediaPipe's face mesh is where: the rows of landmarks that the rig moves.

Right (`r`) and left (`l`) are the person's, so `r` lies on the left half of the picture. The numbers are
those of the published canonical face model with 468 points of skin and 10 of the irises.
"""

from __future__ import annotations

from dataclasses import dataclass

SKIN = 468  # points of the skin; ten more lie on the irises

# Edges of the lips from the right corner of the mouth to the left one.
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)

# The lips' four rings from outside to inside: right corner, upper lip, lower lip, left corner.
LIP_RINGS = (
    (61, UPPER_OUTER[1:-1], LOWER_OUTER[1:-1], 291),
    (76, (184, 74, 73, 72, 11, 302, 303, 304, 408), (77, 90, 180, 85, 16, 315, 404, 320, 307), 306),
    (62, (183, 42, 41, 38, 12, 268, 271, 272, 407), (96, 89, 179, 86, 15, 316, 403, 319, 325), 292),
    (78, UPPER_INNER[1:-1], LOWER_INNER[1:-1], 308),
)
# All rows of each lip without the corners.
UPPER_LIP = tuple(row for _, upper, _, _ in LIP_RINGS for row in upper)
LOWER_LIP = tuple(row for _, _, lower, _ in LIP_RINGS for row in lower)
CORNERS = (61, 291, 78, 308, 76, 306, 62, 292)
CORNER = {"r": 61, "l": 291}
INNER_CORNERS = (78, 308)

CHIN = 152
CHIN_FRONT = 200
NOSE_BASE = 2
NOSE_ROOT = 6
WING = {"r": 129, "l": 358}
CHEEKBONE = {"r": 117, "l": 346}
CHEEK = {"r": 205, "l": 425}
# Beside the fold from nose to mouth: wing, two of the cheek, two of the upper lip.
NASOLABIAL = {"r": (129, 203, 206, 165, 186), "l": (358, 423, 426, 391, 410)}
FOREHEAD = 9

# What the face's axes are measured by.
UP_POINTS = (10, 151)
DOWN_POINTS = (2, 164)

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)


@dataclass(frozen=True)
class Eye:
    """Rows of one eye: margins of the lids with both corners, and the rings around them without."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]  # first ring above
    above: tuple[int, ...]  # second ring above
    below: tuple[int, ...]  # first ring below
    bag: tuple[int, ...]  # second ring below
    iris: tuple[int, ...]  # the centre, then four points of the rim
    corners: tuple[int, int]
    outer: int


EYES = {
    "r": Eye(
        upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
        lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
        crease=(247, 30, 29, 27, 28, 56, 190),
        above=(113, 225, 224, 223, 222, 221, 189),
        below=(25, 110, 24, 23, 22, 26, 112),
        bag=(31, 228, 229, 230, 231, 232, 233),
        iris=(468, 469, 470, 471, 472),
        corners=(33, 133),
        outer=33,
    ),
    "l": Eye(
        upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
        lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
        crease=(414, 286, 258, 257, 259, 260, 467),
        above=(413, 441, 442, 443, 444, 445, 342),
        below=(341, 256, 252, 253, 254, 339, 255),
        bag=(453, 452, 451, 450, 449, 448, 261),
        iris=(473, 474, 475, 476, 477),
        corners=(362, 263),
        outer=263,
    ),
}


@dataclass(frozen=True)
class Brow:
    """Points of one brow: the upper edge from the temple inwards, the lower edge, and both ends."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    inner: tuple[int, int]
    outer: tuple[int, ...]


BROWS = {
    "r": Brow(
        upper=(70, 63, 105, 66, 107), lower=(46, 53, 52, 65, 55), inner=(107, 55), outer=(105, 63, 53, 52)
    ),
    "l": Brow(
        upper=(300, 293, 334, 296, 336),
        lower=(276, 283, 282, 295, 285),
        inner=(336, 285),
        outer=(334, 293, 283, 282),
    ),
}

SIDES = ("l", "r")
SIGN = {"l": 1.0, "r": -1.0}  # of x in the picture
