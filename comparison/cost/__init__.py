"""What the pipelines cost: from the templates before a run (`template`), from a record after one (`run`).

A cost is a list of line items (`lines`), each with a price and a quantity that is a sum of products of named drivers,
which `drivers` computes from how the pipelines are used (`usage`) and how long their stages work (`runtime`).
A service has a file that says how it is billed, and `registry` a line for it.
"""
