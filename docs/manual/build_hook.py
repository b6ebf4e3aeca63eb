"""Add manual pages and completion scripts to the wheel and the source archive; see `manual`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Write them before each build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Write them to a temporary directory, and have them packed: the wheel's go below the prefix."""
        for folder in (self.root, f"{self.root}/docs"):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        from manual.installed import write  # noqa: PLC0415  # it imports the program from the directory of the project

        self._folder = tempfile.TemporaryDirectory()
        where = "shared_data" if self.target_name == "wheel" else "force_include"
        for path in write(Path(self._folder.name)):
            build_data[where][str(Path(self._folder.name) / path)] = path

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary directory."""
        self._folder.cleanup()
