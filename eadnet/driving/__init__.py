"""What moves a rigged face: tracks of facial parameters from speech and a sentence, or from a video.

Whatever made a track, the rig plays it (`eadnet.rig`), so that a better motion model can take the place of
this one without a change to anything else.
"""
