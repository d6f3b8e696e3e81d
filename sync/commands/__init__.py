"""The commands, one file each. They parse, call, print and choose the exit code; they decide nothing else."""
