"""Makes `everything.tar.xz`: a data folder that OLDER_BINARY filled, and the answers that it gave.

    OLDER_BINARY=/path/to/hangar python make.py

All secrets in it were made for it alone.
"""

import json
import os
import pathlib
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from everything import answers, fill, make_key, server_of  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as made_in:
        folder = pathlib.Path(made_in)
        make_key(folder)
        server = server_of(folder, os.environ["OLDER_BINARY"]).start()
        try:
            known = fill(server)
            kept = {"known": known, "answers": answers(server, known)}
        finally:
            assert server.stop() == 0, server.said()
        (folder / "kept.json").write_text(json.dumps(kept, indent=1))
        with tarfile.open(HERE / "everything.tar.xz", "w:xz") as archive:
            for name in ("key", "kept.json", "data"):
                archive.add(folder / name, name, filter=without_traces)


def without_traces(entry):
    """Leaves out the reserve, which a start makes again, and the machine's users."""
    if entry.name.endswith("/reserve"):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


main()
