"""The physics behind simulate.py: the event generator, the detector and the shards they fill."""
