# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own two functions
#
# Is the new one faster, by how much, and does a published claim hold? This measures here and takes a few seconds: put
# functions of your own in the place of these two, and what makes their arguments in the place of `setup`.

# %% tags=["parameters"]
claim = "10-100x faster"
quick = False

# %%
import statistics
from functools import partial

import argo_bench as ab

setup = partial(list, range(2_000))
found = ab.compare(statistics.mean, statistics.fmean, setup=setup, claim=claim, quick=quick)
print(found)

# %%
print(f"The claim was read as: {found.reading}.")
found.speedup

# %%
found

# %%
found.report.forest()
