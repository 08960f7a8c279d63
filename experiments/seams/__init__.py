"""Seams, drift and pauses of long clips: `changes` and `speakers` are the numbers, `kept_frames` what is
rendered, `parts` the sections of the page.
"""
