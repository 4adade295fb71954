"""The folders of the sides, by a side's name: nothing outside of them names one.

Each has the same modules. Of those others ask for ``stack`` (``SideStack``), ``roles`` (``record_permissions``) and
``dashboard`` (``graphs``, ``BILLED_AS``).
"""

from importlib import import_module
from types import ModuleType

from sides import SIDES


def side_module(side: str, module: str) -> ModuleType:
    """A module of a side's folder."""
    return import_module(f"stacks.{SIDES[side].folder}.{module}")
