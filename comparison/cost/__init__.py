"""What both pipelines cost: from the templates before a run (`template`), from a record after one (`run`).

A cost is a list of lines (`lines`), each with a price and a quantity that is a sum of products of named drivers, which
`drivers` computes from how the pipelines are used (`usage`) and how long their stages work (`workload`).
"""
