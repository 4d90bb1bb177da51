"""One bundle → a small server of each kind that Tandem is compared with, each written as its makers advise.

These are programs of their own, run by `python -m loadtests bench` in environments of their own. They are servers, not
load generators, so they alone of this folder import `models`: the work behind each has to be the very same.
"""
