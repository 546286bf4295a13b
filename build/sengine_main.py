"""What the executable runs: the same command line as ``python -m sengine``."""

from sengine.__main__ import main

main()
