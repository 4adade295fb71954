"""Stands for the toolkit's C extension, which its MPI runner preloads into processes and which is not compiled here."""
