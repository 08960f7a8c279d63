"""From pictures, sound and text to pixels."""
