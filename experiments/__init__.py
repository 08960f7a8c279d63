"""Measurements of finished models and of the methods, each with a page under `docs/results`.

`python -m experiments` lists them, `python -m experiments NAME` runs one. Experiments call the library, which
imports none of them; networks are rendered by the one render path (`clip_renderer`).
"""
