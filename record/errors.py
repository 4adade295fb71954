"""The error that is the user's to mend."""


class UserError(Exception):
    """What was asked for cannot be done: one line that names the place, what is wrong there and what is needed.

    The command line shows the line and ends with `exit_code`: 2 where another input is needed, which is the rule, and 1
    where something was done and came to a bad end. What ships to the services has `common.command.InputError` instead,
    and so do the settings.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        """Say in `message` what to mend."""
        super().__init__(message)
        self.exit_code = exit_code
