"""Two arms in, samples and a verdict out: nothing here knows what the arms compute."""
