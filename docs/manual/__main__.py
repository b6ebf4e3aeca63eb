"""Write manual pages and completion scripts below a directory: `PYTHONPATH=docs python -m manual DIR`."""

import sys
from pathlib import Path

from manual.installed import write

if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in write(Path(sys.argv[1])))
