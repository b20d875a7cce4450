"""One Spark for all tests here. It needs Java, which a developer may lack and CI may not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.engines import start_spark


def _java_is_missing() -> str | None:
    """Why Spark can't start here, None if it can."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None:
        return "Spark needs Java 17 or newer, and there is no java: install a JRE, such as Debian's openjdk-17-jre-headless"
    done = subprocess.run([java, "-version"], capture_output=True, check=False)
    return None if done.returncode == 0 else f"Spark needs Java, and {java} does not run"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    why = _java_is_missing()
    if why is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    session = start_spark(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()
