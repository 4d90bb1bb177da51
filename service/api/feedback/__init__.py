"""Routes of the record of decisions: answers to them, what waits for a person, and how good the answers are."""
