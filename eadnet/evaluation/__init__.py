"""`eadnet evaluate`: every metric that has what it needs, for a folder of clips, per clip and in total.

A metric without its weights or its reference is listed as not computed, with the reason, and never guessed.
Finished clips are kept beside the report, so an interrupted evaluation goes on where it stopped. Videos are
read piece by piece; how much memory that takes is in docs/results/sync.md.
"""
