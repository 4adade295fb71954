"""Tests of the laptop run."""
