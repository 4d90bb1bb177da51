"""The bundle that training hands to serving: manifest, files, audit, golden results, store."""
