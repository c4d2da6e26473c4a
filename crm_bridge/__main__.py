"""`python -m crm_bridge` is `crm-bridge`."""

from __future__ import annotations

import sys

from crm_bridge.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
