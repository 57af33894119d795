"""The parts of `tag.py`: what is trained, and how it is reported."""
