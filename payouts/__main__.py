"""`python -m payouts` is `payouts`."""

from __future__ import annotations

import sys

from payouts.cli import main

if __name__ == "__main__":
    sys.exit(main())
