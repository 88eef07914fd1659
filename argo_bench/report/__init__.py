"""Numbers in, sentences, tables and pictures out: a report computes from a record alone and decides nothing."""

from __future__ import annotations
