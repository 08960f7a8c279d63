"""`python -m eadnet.training`: see `eadnet.training.recipes.command`."""

from __future__ import annotations

import sys

from .recipes.command import main

if __name__ == "__main__":
    sys.exit(main())
