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
# # Is my new function faster than the old one?
#
# This measures on your machine, for a few seconds. Put two functions of your own in the place of `mean` and `fmean`,
# and in the place of `setup` what makes their arguments. The claim is a sentence, as it might stand in a commit
# message.

# %% tags=["parameters"]
claim = "10-100x faster"
quick = True  # 4 to 10 pairs of processes; False: until the verdict is clear, for two minutes at most

# %%
import statistics
from functools import partial

from IPython.display import Markdown

import argo_bench as ab

# %%
setup = partial(list, range(2_000))
found = ab.compare(statistics.mean, statistics.fmean, setup=setup, claim=claim, quick=quick)

# %% [markdown]
# ## The answer

# %%
Markdown(str(found))

# %%
print(f"The claim was read as: {found.reading}.")

# %% [markdown]
# ## The picture
#
# The mark is what was measured, the line through it how sure that is, the band what was claimed. The claim is reached
# where the whole line lies in the band or right of it; left of *same* the new function is slower.

# %%
found.report.hero()

# %% [markdown]
# ## The numbers
#
# Both functions must give the same result; otherwise no speed counts.

# %%
found

# %% [markdown]
# ## What if the line is too long?
#
# Then others use the machine, or both functions are nearly alike. Set `quick = False`, and see whether this machine
# is fit for measuring.

# %%
# %load_ext argo_bench
# %argo_env
