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
# # The claims at a glance
#
# Reads a stored run and shows its verdicts. Nothing is measured here: `argo-bench run` measures, and every number
# below traces to a line of its `run.jsonl`.

# %% tags=["parameters"]
run = "../results/reference"
quick = True

# %%
import argo_bench

report = argo_bench.load(run)
print(report)

# %% [markdown]
# A shaded band is the range that was published, a tick what this machine measured, and a thick line the interval
# around it. A verdict is read off the whole interval: it *holds* only where the interval lies inside the band or
# beyond it, and *inconclusive* says that the interval lies across an edge, not that both arms are equally fast. Left of
# 1x an optimization makes its stage slower, and `≠ output` marks those that compute something else.

# %%
report.forest()

# %% [markdown]
# ## Is this machine fit for a run of your own?
#
# The run above was made on the machine that its last remark names. This is the one that shows it to you.

# %%
# %load_ext argo_bench
# %argo_env

# %% [markdown]
# ## Every table of the run

# %%
report

# %%
report.to_frame()
