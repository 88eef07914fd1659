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
# # What does float32 save, and what does it cost?
#
# A float32 takes half the bytes of a float64. Three versions of the price tables were measured: *prescribed* casts
# them to float32, as published; *float32 at the source* casts once, before the table is made; *engineered* makes no
# copy at all, and stays in float64. Nothing is measured here: this reads a stored run.

# %% tags=["parameters"]
run = "reference"  # comes with argo-bench; or the folder of a run of yours, such as "../results/mine"

# %%
from IPython.display import Markdown

import argo_bench as ab
from argo_bench.study.report.answers import say_what_float32_saves

report = ab.load(run)
frames = report.of("O09")

# %% [markdown]
# ## The answer

# %%
Markdown(say_what_float32_saves(report))

# %% [markdown]
# ## The picture: memory
#
# Each mark is one reading: what a pass took beyond what was there before it. Further left is less.

# %%
picture = frames.memory()
picture

# %% [markdown]
# ## The picture: errors
#
# One rounding to float32 changes a number by up to 6e-8 of it. Averages keep that; oscillators are ratios of small
# differences, and lose more.

# %%
frames.errors()

# %% [markdown]
# ## The numbers

# %%
picture.data

# %%
frames.errors().data
