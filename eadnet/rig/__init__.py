"""A face rig: a picture of a face and the 478 points of its mesh -> the same picture with any expression.

Points -> canonical face -> displacements of every facial action -> two sheets that tear cleanly at lips and
lids
-> frames of the picture's own pixels. No network and no weights.
"""
