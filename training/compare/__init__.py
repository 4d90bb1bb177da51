"""The comparison: classical learning, deep learning and the hybrid on the same images, within a budget of minutes.

data ──▶ `nested_samples` ──▶ `comparison_run` (fits, tests and times what fits the budget) ──▶ `comparison_rows` ──▶
`recommendation` and `conclusion` ──▶ `comparison_page` and `compare_command` (HTML, Markdown, JSON).
"""
