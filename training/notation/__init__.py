"""Texts of a table's cells become numbers, dates, units and classes."""
