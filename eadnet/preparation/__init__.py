"""From folders of video to a set to train on: aligned faces, sound, facial parameters, captions."""
