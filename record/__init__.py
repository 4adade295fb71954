"""The record of a run: its schema, and what collects, keeps and shares it.

The folder is also the asset of the function that records runs in an account: it imports nothing of the rest.
"""
