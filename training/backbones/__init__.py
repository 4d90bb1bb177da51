"""Networks that others have fitted, by name: EfficientNet-Lite, checkpoints of Hugging Face, timm."""
