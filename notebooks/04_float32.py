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
# # float32: memory, speed, error
#
# Half the bytes a number, and what else? All from a stored run: frames as prescribed (float32 prices, cast from
# float64), as engineered (no copy at all), and float32 cast once at the source.

# %% tags=["parameters"]
run = "../results/reference"
quick = True

# %%
import argo_bench

report = argo_bench.load(run)
frames = report.of("O09")
print(frames)

# %% [markdown]
# ## Memory
#
# Every reading of the memory that a pass takes beyond what was there before.

# %%
frames.memory()

# %% [markdown]
# ## Speed
#
# The indicator kernel accumulates in float64 whatever it reads; what float32 saves there is reading. What casting costs
# stands in the whole cycles.

# %%
frames.ecdf()

# %% [markdown]
# ## Error
#
# One rounding to float32 is 6e-8 of the number. Averages and bands keep it; oscillators, which are ratios of small
# differences, lose three digits more, and still decide alike but where up and down tie.

# %%
frames.errors()

# %% [markdown]
# ## Every number

# %%
frames
