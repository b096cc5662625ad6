"""`python -m chalicelib.batch`."""

import sys

from chalicelib.batch.cli.main import main

sys.exit(main())
