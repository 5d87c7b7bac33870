"""`python -m ingest_client.cli`."""

import sys

from ingest_client.cli.main import main

sys.exit(main())
