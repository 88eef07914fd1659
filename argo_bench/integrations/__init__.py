"""Connects argo-bench with other programs: scripts for other tools, and their figures beside ours."""
