"""Users over HTTP → how fast, how right and how costly the service answers.

Speaks HTTP only: nothing of the other folders is imported.
"""
