"""The parts of `trigger.py`: a tagger as an ONNX graph, and in few bits."""
