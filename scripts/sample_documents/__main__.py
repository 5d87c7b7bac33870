"""Makes a folder of sample documents. Needs the extra "dev" (reportlab, Pillow).

python scripts/sample_documents FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by the folder's name: then Python looks for modules in it, not beside it
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from scripts.sample_documents.making import main

if __name__ == "__main__":
    main()
