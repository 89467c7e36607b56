from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support_tools import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    project = Project(root)
    yield project
    project.workspace.close()
