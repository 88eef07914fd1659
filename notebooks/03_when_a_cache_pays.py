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
# # When does a cache pay?
#
# Without a cache every call computes. With one every call looks up, and those that miss compute as well. So a cache
# pays where the share of calls that hit is larger than the time of a look-up, divided by the time of the computation.
# Both times were measured: look-ups in four stores on the same machine, and stages of the pipeline.

# %% tags=["parameters"]
run = "reference"  # comes with argo-bench; or the folder of a run of yours, such as "../results/mine"
lookups = "reference/lookups"  # a run of argo_bench/study/lookups.py

# %%
from IPython.display import Markdown

import argo_bench as ab
from argo_bench.study.report.answers import say_when_a_cache_pays

report, stores = ab.load(run), ab.load(lookups)

# %% [markdown]
# ## The answer

# %%
Markdown(say_when_a_cache_pays(stores, report))

# %% [markdown]
# ## The picture
#
# Each line belongs to a store; above it a cache in that store pays. Dotted lines are stages of the pipeline. A store
# across a network is further right, by its round trip.

# %%
picture = stores.pays(report)
picture

# %% [markdown]
# ## The numbers

# %%
picture.data

# %% [markdown]
# ## Do the published caches pay?
#
# The same question with measured times of hits and misses. Above 1x the cache saves time; the short strokes are hit
# rates that were counted on recorded markets.

# %%
report.hit_rates()
