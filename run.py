"""One command from a fresh clone: `python run.py demo | test | comfy | bench | experiments | train`.

Standard library only, so that it runs before anything is installed. The work is in `tools/`.
"""

import sys

# Older Pythons must be able to read this file, so that it can tell them.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("EAD-Net needs Python 3.10 or newer; this is Python " + sys.version.split()[0])

from tools.commands import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
