"""The servers that Tandem is compared with, each written as its makers advise.

`python -m loadtests bench` runs them in environments of their own. They import `models`, as no other part of
`loadtests` does, because all of them must do the same work.
"""
