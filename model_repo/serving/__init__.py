"""What a server needs of a served model: Triton model repositories, and TensorRT plans that still answer as the ONNX does."""
