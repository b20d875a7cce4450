"""Paths and URLs as values: which trees, and which spellings are one object."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.kind import KINDS

SAME = ("as for a rule that allows",)
# kind, values; what each names to a rule that allows (None: it is not regular), and to one that denies
PATHS: dict[str, list[tuple[Any, tuple[Any, ...] | None, tuple[Any, ...] | None]]] = {
    "workspace_path": [
        ("workspace:/Users/a", ("/Workspace/Users/a",), SAME),
        ("/Workspace/a/", ("/Workspace/a",), SAME),
        ("/a%2541", None, SAME),
        ("/a%zz", ("/Workspace/a%zz",), SAME),
        ("/\uff41", ("/Workspace/\uff41",), ("/Workspace/\uff41", "/Workspace/a")),
        (
            "/%EF%BD%81",
            ("/Workspace/%EF%BD%81", "/Workspace/\uff41"),
            ("/Workspace/%EF%BD%81", "/Workspace/\uff41", "/Workspace/a"),
        ),
        ("/\u212b", None, SAME),
        ("/a%41b", ("/Workspace/a%41b", "/Workspace/aAb"), SAME),
        ("/Users/a/a%u0062", None, SAME),
        ("/a b", ("/Workspace/a b",), SAME),
        ("/a./b", ("/Workspace/a./b",), SAME),
        ("/Volumes", ("/Volumes",), SAME),
        ("/Volumes/", ("/Volumes",), SAME),
        ("/Volumes/Main", ("/Volumes/main",), SAME),
        ("/Volumes/Main/A/B/C/D", ("/Volumes/main/a/b/C/D",), SAME),
        ("/VOLUMES/x", ("/Workspace/VOLUMES/x",), SAME),
        ("/Workspace/Volumes/A", ("/Workspace/Volumes/A",), SAME),
        ("/Workspacex", ("/Workspace/Workspacex",), SAME),
        ("/a%252fb", None, SAME),
        ("/a/%41/%42", ("/Workspace/a/%41/%42", "/Workspace/a/A/B"), SAME),
    ],
    "import_path": [
        ("/a/x.sql", ("/Workspace/a/x.sql", "/Workspace/a/x"), SAME),
        ("/a/x.scala", ("/Workspace/a/x.scala", "/Workspace/a/x"), SAME),
        ("/a/x.r", ("/Workspace/a/x.r", "/Workspace/a/x"), SAME),
        ("/a/x.R", ("/Workspace/a/x.R", "/Workspace/a/x"), SAME),
        ("/a/x.ipynb", ("/Workspace/a/x.ipynb", "/Workspace/a/x"), SAME),
        ("/a/x.PY", ("/Workspace/a/x.PY",), SAME),
        ("/a/.py", ("/Workspace/a/.py",), SAME),
        ("/a.b/x.py", ("/Workspace/a.b/x.py", "/Workspace/a.b/x"), SAME),
        ("/a/x.py/", ("/Workspace/a/x.py", "/Workspace/a/x"), SAME),
        ("/x.py.txt", ("/Workspace/x.py.txt",), SAME),
    ],
    "workspace_glob": [
        ("/**", ("/Workspace/**",), None),
        ("/a/**/", None, SAME),
        ("/a/*", None, SAME),
        ("/a/[x]", None, SAME),
        ("/a/{x}", None, SAME),
        ("/**/a", None, SAME),
    ],
    "code_path": [
        ("a", ("a",), ("a", "/Workspace/a")),
        ("\uff41", ("\uff41",), ("\uff41", "/Workspace/\uff41", "a", "/Workspace/a")),
        ("a/b/", ("a/b",), ("a/b", "/Workspace/a/b")),
        ("workspace:a", None, SAME),
        ("a:b/c", None, SAME),
        ("a/b:c", ("a/b:c",), ("a/b:c", "/Workspace/a/b:c")),
        ("a%20b", ("a%20b", "a b"), ("a%20b", "a b", "/Workspace/a%20b", "/Workspace/a b")),
        ("a%2e", ("a%2e", "a."), ("a%2e", "a.", "/Workspace/a%2e", "/Workspace/a.")),
        ("/", ("/Workspace",), SAME),
    ],
    "dbfs_path": [
        ("dbfs:/", ("/",), SAME),
        ("dbfs:", None, SAME),
        ("/a/", ("/a",), SAME),
        ("dbfs:/VOLUMES/x", None, SAME),
        ("/Volumesx", ("/Volumesx",), SAME),
        ("/a%20b", ("/a%20b", "/a b"), SAME),
    ],
    "volume_path": [
        ("/Volumes/", ("/Volumes",), SAME),
        ("/Volumes", ("/Volumes",), SAME),
        ("dbfs:/a", ("dbfs:/a",), SAME),
        ("s3://b/x", ("s3://b/x",), SAME),
        ("file:/a", ("file:/a",), SAME),
        ("runs:/x/y", ("runs:/x/y",), SAME),
        ("/Volumes/M/S", ("/Volumes/m/s",), SAME),
        ("/Volumes/M/S/V/", ("/Volumes/m/s/v",), SAME),
        ("/Volumes/A/B/C/D/E", ("/Volumes/a/b/c/D/E",), SAME),
        ("workspace:/a", ("/Workspace/a",), SAME),
    ],
    "tree_path": [
        ("/a b", ("/a b",), SAME),
        ("/A/", ("/A",), SAME),
        ("/a%20b", ("/a%20b", "/a b"), SAME),
    ],
    "path": [
        ("/Workspace", ("/Workspace",), ("/Workspace", "dbfs:/Workspace")),
        ("/Workspace/Workspace/x", None, SAME),
        ("/Users/", ("/Workspace/Users", "dbfs:/Users"), SAME),
        ("/dbfs/", ("/Workspace/dbfs", "dbfs:/dbfs"), SAME),
        (
            "/dbfs/Volumes/M/s/v",
            (
                "/Workspace/dbfs/Volumes/M/s/v",
                "dbfs:/dbfs/Volumes/M/s/v",
                "file:/dbfs/Volumes/M/s/v",
                "/Volumes/m/s/v",
            ),
            SAME,
        ),
        ("/dbfs", ("/Workspace/dbfs", "dbfs:/dbfs"), SAME),
        ("dbfs:/Volumes", ("/Volumes",), SAME),
        ("file:/Volumes/M/a/v", ("file:/Volumes/M/a/v", "/Volumes/m/a/v"), SAME),
        ("file:/dbfs/x", ("file:/dbfs/x", "dbfs:/x"), SAME),
        ("file:/a", ("file:/a",), SAME),
        ("file:///a", ("file:/a",), SAME),
        ("file:////a", None, SAME),
        ("file://a", None, SAME),
        ("file:/", ("file:/",), SAME),
        ("file:/Workspacex", ("file:/Workspacex", "/Workspace/Workspacex"), SAME),
        ("workspace:/Users/a", ("/Workspace/Users/a",), SAME),
        ("git+https://h/r", ("git+https://h/r", "https://h/r"), SAME),
        ("models:/m/1", ("models:/m/1",), SAME),
        ("mlflow-artifacts:/x", ("mlflow-artifacts:/x",), SAME),
        ("foo:/x", None, SAME),
        ("foo:x", ("foo:x",), SAME),
        ("a b/c", ("a b/c",), ("a b/c", "/Workspace/a b/c", "dbfs:/a b/c")),
        ("", ("",), ("", "/Workspace", "dbfs:/")),
        ("https://H/a%20b", ("https://h/a%20b", "https://h/a b"), SAME),
    ],
    "slashed": [
        ("/", ("",), SAME),
        ("a/", ("a",), SAME),
        ("/a%20b", ("/a%20b", "/a b"), SAME),
        ("a", ("a",), SAME),
    ],
    "pip_line": [
        ("x==1", ("x==1",), ("x==1", "x==1")),
        (
            "-e /Workspace/a",
            ("-e /Workspace/a", "/Workspace/a"),
            ("-e /Workspace/a", "/Workspace/a", "dbfs:/Workspace/a", "-e /workspace/a"),
        ),
        (
            "-r/Workspace/a",
            ("-r/Workspace/a", "/Workspace/a"),
            ("-r/Workspace/a", "/Workspace/a", "dbfs:/Workspace/a", "-r/workspace/a"),
        ),
        (
            "--find-links=/Volumes/M/a/v",
            ("--find-links=/Volumes/M/a/v", "/Volumes/m/a/v"),
            ("--find-links=/Volumes/M/a/v", "/Volumes/m/a/v", "--find-links=/volumes/m/a/v"),
        ),
        (
            "x @ https://H.org/x.whl",
            ("x @ https://H.org/x.whl", "https://h.org/x.whl"),
            ("x @ https://H.org/x.whl", "https://h.org/x.whl", "x @ https://h.org/x.whl"),
        ),
        (
            "'/Workspace/a'",
            ("'/Workspace/a'", "/Workspace/a'", "/Workspace/a"),
            (
                "'/Workspace/a'",
                "/Workspace/a'",
                "dbfs:/Workspace/a'",
                "/Workspace/a",
                "dbfs:/Workspace/a",
                "'/workspace/a'",
            ),
        ),
        (
            "/Workspace/a[extra]",
            ("/Workspace/a[extra]", "/Workspace/a"),
            (
                "/Workspace/a[extra]",
                "dbfs:/Workspace/a[extra]",
                "/Workspace/a",
                "dbfs:/Workspace/a",
                "/workspace/a[extra]",
            ),
        ),
        (
            "/Workspace/a; python_version<'3'",
            ("/Workspace/a; python_version<'3'", "/Workspace/a;", "/Workspace/a"),
            (
                "/Workspace/a; python_version<'3'",
                "/Workspace/a;",
                "dbfs:/Workspace/a;",
                "/Workspace/a",
                "dbfs:/Workspace/a",
                "/workspace/a; python_version<'3'",
            ),
        ),
        ("x @ dbfs:/y", ("x @ dbfs:/y", "dbfs:/y"), ("x @ dbfs:/y", "dbfs:/y", "x @ dbfs:/y")),
        ("-c foo:/x", None, SAME),
    ],
    "url": [
        ("http://h:80/a", ("http://h/a",), SAME),
        ("https://h:443/", ("https://h",), SAME),
        ("https://h:80", ("https://h:80",), SAME),
        ("http://h:8080/", ("http://h:8080",), SAME),
        ("https://U:p@h/", None, SAME),
        (
            "HTTPS://h/A?b#c",
            ("https://h/A?b#c",),
            ("https://h/A?b#c", "https://h/a?b#c", "https://h/A", "https://h/a"),
        ),
        ("git+https://H/r", ("git+https://h/r", "https://h/r"), SAME),
        ("https://h/a//b", None, SAME),
        ("https://h/a%20b", ("https://h/a%20b", "https://h/a b"), SAME),
        ("https://h?x", ("https://h?x",), ("https://h?x", "https://h")),
        ("https://h/a/../b", None, SAME),
        ("https://[::1]:8443/x", ("https://[::1]:8443/x",), SAME),
        ("https://h./", ("https://h",), SAME),
        ("https:///x", None, SAME),
        ("ftp://h/x", ("ftp://h/x",), SAME),
        ("s3://b", ("s3://b",), SAME),
        ("https://h:0/", None, SAME),
        ("https://h:123456/", None, SAME),
        ("https://h/a#", ("https://h/a#",), ("https://h/a#", "https://h/a")),
        ("https://h/ a", None, SAME),
    ],
    "storage_url": [
        ("s3n://b/x", ("s3n://b/x", "s3://b/x"), SAME),
        ("wasb://c@a/x", ("wasb://c@a/x", "wasbs://c@a/x"), SAME),
        ("abfs://c@a/x", ("abfs://c@a/x", "abfss://c@a/x"), SAME),
        ("gs://B/x/", ("gs://b/x",), SAME),
        ("abfss://C@A.dfs.core.windows.net/x", ("abfss://c@a.dfs.core.windows.net/x",), SAME),
    ],
}


@pytest.mark.parametrize("kind", PATHS)
def test_what_a_path_names(kind: str) -> None:
    for value, named, suspected in PATHS[kind]:
        for read, wanted in ((KINDS[kind].read, named), (KINDS[kind].suspect, suspected)):
            assert read(value) == (named if wanted is SAME else wanted), value
