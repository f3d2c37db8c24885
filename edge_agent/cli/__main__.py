"""`python -m edge_agent.cli`: the command line without its launcher."""

from edge_agent.cli import main

main()
