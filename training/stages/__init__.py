"""The stages of a training, in the order in which the flows in `training.workflows` run them.

data ──prepare──▶ split images ──embedding──▶ embeddings ──training_data──▶ labelled embeddings
     ──model_selection──▶ best candidate ──finishing──▶ exported head
     ──evaluation──▶ figures on test images ──embedder_precisions──▶ int8, fp16 ──results──▶ manifest, report
"""
