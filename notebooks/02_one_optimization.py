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
# # One optimization, end to end
#
# What was claimed, what each variant does, what it saves and what it does to the output: all from a stored run. Set
# `id` to any of O01 to O15, FIVE or ALL.

# %% tags=["parameters"]
run = "../results/reference"
id = "O07"
quick = True

# %%
import argo_bench

report = argo_bench.load(run).of(id)
optimization = argo_bench.catalogue().get(id)
print(report)

# %%
optimization

# %% [markdown]
# ## The verdicts
#
# A band is the range that was published, a tick the estimate, the thick line its interval.

# %%
report.forest()

# %% [markdown]
# ## The samples behind them
#
# Left of the reference's curve is faster. One curve that lies left of the other at every height is a speed-up of every
# call; curves that cross are not.

# %%
report.ecdf()

# %% [markdown]
# Every block is a dot, in the order of measuring: a drift of the machine would show as a slope, warm-up as a bend, a
# busy neighbour as dots that leave the line.

# %%
report.paired_ratio()

# %% [markdown]
# ## Over the scales, cold and warm
#
# Nothing is drawn where the run has no such measurement.

# %%
report.scaling()

# %%
report.break_even()

# %%
report.hit_rates()

# %% [markdown]
# ## Memory, and the damage beside the benefit

# %%
report.memory()

# %%
report.frontier()

# %% [markdown]
# ## Every number

# %%
report
