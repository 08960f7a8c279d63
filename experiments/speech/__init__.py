"""Mouths made from sound against people's own: `python -m experiments speech`."""
