"""Tests of the record, the page and the terminal table."""
