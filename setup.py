"""What travels with avatard: config/, models/ and systemd/ lie inside the wheel as avatard/_data."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TRAVELS = ("config", "models", "systemd")
ROOT = Path(__file__).parent


class BuildWithData(build_py):
    """Copies the folders beside the package; an editable install reads them where they are."""

    def run(self):
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        data = Path(self.build_lib) / "avatard" / "_data"
        shutil.rmtree(data, ignore_errors=True)
        for name in TRAVELS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, data / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))


setup(cmdclass={"build_py": BuildWithData})
