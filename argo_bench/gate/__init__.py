"""Says whether a change is slower: it compares the benchmarks of one revision with those of another."""
