"""The head-to-head: classical learning, deep learning and the hybrid on the same images, within a budget of minutes.

data ──▶ `samples` (nested sizes) ──▶ `contest` (fit, test and time whatever fits the budget) ──▶ `rows` ──▶ `decision`
and `verdict` ──▶ `page` and `command` (HTML, Markdown, JSON).
"""
