"""``python -m argo_bench.cli`` is the program argo-bench."""

from argo_bench.cli.main import main

main()
