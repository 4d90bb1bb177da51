"""The pages for people: start, playground, API reference."""
