"""The parts of `train.py`: settings, data, the loop, its checkpoints and logs, and the report."""
