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
# # Should I ship this optimization?
#
# Set `id` to one of O01 to O15, FIVE (the first five together) or ALL (all fifteen). *Prescribed* is the optimization
# as it was published, *engineered* the best version that we could build. Nothing is measured here: this reads a
# stored run.

# %% tags=["parameters"]
run = "reference"  # comes with argo-bench; or the folder of a run of yours, such as "../results/mine"
id = "O07"

# %%
from IPython.display import Markdown

import argo_bench as ab
from argo_bench.study.report.answers import say_what_to_ship

report = ab.load(run).of(id)

# %% [markdown]
# ## The answer

# %%
Markdown(say_what_to_ship(report))

# %% [markdown]
# ## The picture
#
# The triangle is the code as it was published, the circle the best version that we could build. The line through a
# mark says how sure that is, the band what was published. A hollow mark computes something else, and one left of
# *same* makes things slower.

# %%
report.hero()

# %% [markdown]
# ## Is every call faster, or only some?
#
# Each curve shows which share of the calls took less than a time. A version whose curve lies further left at every
# height is faster for every call; where curves cross, only some calls are faster.

# %%
report.ecdf()

# %% [markdown]
# ## What does it cost?
#
# Memory, and what becomes of the signals. Where the run has no such measurement, nothing is drawn.

# %%
report.memory()

# %%
report.frontier()

# %% [markdown]
# ## The numbers

# %%
report

# %% [markdown]
# ## What was changed?

# %%
ab.catalogue().get(id)
