# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which of the published claims hold?
#
# Fifteen optimizations were published with figures. Each was measured twice: *as published* (`prescribed`), with its
# mistakes, and *as engineered*, the best version that we could build. Nothing is measured here: this reads a stored
# run.

# %% tags=["parameters"]
run = "reference"  # comes with argo-bench; or the folder of a run of yours, such as "../results/mine"

# %%
from IPython.display import Markdown

import argo_bench as ab

report = ab.load(run)

# %% [markdown]
# ## The answer

# %%
Markdown(str(report))

# %% [markdown]
# ## The picture
#
# A row is a claim: the triangle is the code as it was published, the circle the best version we could build. The line
# through a mark says how sure that is, the band what was published. A claim is reached where the whole line lies in the
# band or right of it; *undecided* means that the line crosses an edge of the band, not that nothing changed. A hollow
# mark computes something else, and one left of *same* makes things slower.

# %%
picture = report.hero()
picture

# %% [markdown]
# ## The numbers
#
# One row for each claim and version. *Output* says whether the optimized program still computes the same.

# %%
picture.data

# %% [markdown]
# ## And on your machine?
#
# `argo-bench run --profile quick --out results/mine` measures all of it in a few minutes; then set `run` above. The
# next notebook asks of one optimization whether to ship it.
