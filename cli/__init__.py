"""The command line: ``compare``, one module a command."""
