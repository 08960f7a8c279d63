"""Faces in real recordings: `measures` are the numbers, `tables` and `performance` the parts of the page."""
