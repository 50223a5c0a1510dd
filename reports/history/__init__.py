"""The history: every result of every run, kept where several runners can write and years can be asked for."""
