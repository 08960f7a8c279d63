"""Losses of the U-Net beyond the error of its prediction. Each is off until a configuration weighs it.

All look at the one-step estimate of the clean latents. At high noise that estimate is a blur of all that
might be, so each clip counts by its share of signal, the cumulative alpha of its timestep.
"""
