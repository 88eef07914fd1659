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
# # When does a cache pay?
#
# A call takes C without a cache, and L + (1 - h) C with one, where L is the look-up and h the share of calls that hit.
# So it pays from h = L / C on: cheap computations need a cheap store or nearly only hits. The look-ups were measured on
# stores that are as near as they can be (`argo-bench run argo_bench/study/lookups.py`); a store across a network is
# further right by its round trip.

# %% tags=["parameters"]
run = "../results/reference"
lookups = "../results/reference/lookups"
quick = True

# %%
import argo_bench

report = argo_bench.load(run)
stores = argo_bench.load(lookups)

# %%
stores.pays(report)

# %%
stores.pays(report).data

# %% [markdown]
# ## The published caches
#
# The same from times of hits and misses that were measured, the hit rates of the traces marked on the line: a cache
# whose line is below 1x costs more than it saves there.

# %%
report.hit_rates()

# %% [markdown]
# ## The look-ups themselves

# %%
stores
