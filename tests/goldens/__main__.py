"""Write the goldens anew: ``python -m tests.goldens [FOLDER]``; with a folder also every text whole, for a diff."""

import sys
from pathlib import Path

from tests.goldens import TEXTS, file_of, kept, makers

TEXTS.mkdir(exist_ok=True)
made = makers()
for file in set(TEXTS.iterdir()) - {file_of(name) for name in made}:
    file.unlink()
for name, make in made.items():
    text = make()
    file_of(name).write_bytes(kept(text).encode())
    for folder in map(Path, sys.argv[1:]):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_of(name).name).write_bytes(text.encode())
