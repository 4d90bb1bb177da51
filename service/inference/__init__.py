"""Encoded images become head outputs: preprocessing, batches, the loaded model and its replacement."""
