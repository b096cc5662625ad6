"""`python -m chalicelib.client`."""

import sys

from chalicelib.client.main import main

sys.exit(main())
