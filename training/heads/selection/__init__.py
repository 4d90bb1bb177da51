"""The head that serves is selected: candidates are evaluated out of fold, searched, blended and compared."""
