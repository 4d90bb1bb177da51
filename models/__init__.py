"""The contract between training and serving: bundle, store, pixels, policy, golden check."""
