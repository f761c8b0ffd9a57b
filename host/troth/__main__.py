"""`python -m troth` is the `troth` command."""

from .cli import main

main()
