"""What `run.py` is made of: standard library only, nothing here is imported by the pack or by `eadnet`."""
