"""Where argo-bench meets other programs: scripts for other tools, and their figures beside ours."""
