"""The templates of the gallery, laid out from the workflows in API format: `python -m tools.templates`."""
