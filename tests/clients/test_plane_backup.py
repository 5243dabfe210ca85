"""Plane's own backup and restore, over hangar in MinIO's place.

Plane's `setup.sh backup` copies what the service plane-minio mounts at `/export` while it runs, and packs it as `uploads/` into
`uploads.tar.gz`. Its `restore.sh` knows the volumes `pgdata`, `redisdata`, `uploads` and `rabbitmq_data` by name: it deletes the
one that an archive is named after, makes it again, and moves all names in the archive that do not begin with a dot into it. An
archive without such a volume is skipped, and the script still says that it has completed. This is done here with folders for
volumes, and with the compose file as the script in `packaging/plane` leaves it.
"""

import hashlib
import shutil
import subprocess
import tarfile

import pytest
import yaml

from clients import s3_client
from compose_files import PROGRAM, TODAY
from server import Hangar, binary

PROJECT = "plane-app"
RESTORED = ("pgdata", "redisdata", "uploads", "rabbitmq_data")


class Plane:
    """The folder of Plane's `setup.sh`, with folders for Docker's volumes."""

    def __init__(self, root):
        self.root = root
        self.compose = root / PROJECT / "docker-compose.yaml"
        self.compose.parent.mkdir(parents=True)
        self.compose.write_text(TODAY)
        (self.compose.parent / "hangar").symlink_to(binary())
        self.volumes = root / "volumes"
        for name in RESTORED:
            (self.volumes / f"{PROJECT}_{name}").mkdir(parents=True)

    def put_hangar_in(self):
        assert subprocess.run([PROGRAM, self.compose], capture_output=True).returncode == 0

    @property
    def exported(self):
        """The volume that the compose file mounts where the data is."""
        service = yaml.safe_load(self.compose.read_text())["services"]["plane-minio"]
        (name,) = (volume.split(":")[0] for volume in service["volumes"] if volume.split(":")[1] == "/export")
        return self.volumes / f"{PROJECT}_{name}"

    def server(self):
        keys = {"HANGAR_DATA_DIR": None, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
        pair = {"MINIO_ROOT_USER": "access-key", "MINIO_ROOT_PASSWORD": "secret-key"}
        command = ["server", self.exported, "--console-address", ":9090"]
        server = Hangar(self.root / "server", keys | pair, command)
        server.access_key, server.secret_key = pair.values()
        return server.start()

    def backup(self):
        archive = self.root / "backup/uploads.tar.gz"
        copied = archive.parent / "uploads"
        shutil.copytree(self.exported, copied)
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(copied, "uploads")
        shutil.rmtree(copied)
        return archive

    def restore(self, archive):
        name = archive.name.removesuffix(".tar.gz")
        volume = self.volumes / f"{PROJECT}_{name}"
        if name not in RESTORED or not volume.is_dir():
            return
        shutil.rmtree(volume)
        volume.mkdir()
        unpacked = self.root / "unpacked"
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="fully_trusted")
        for path in (unpacked / name).iterdir():
            if not path.name.startswith("."):
                shutil.move(path, volume)


@pytest.fixture
def plane(tmp_path):
    return Plane(tmp_path)


def put_minios_files(volume):
    """The shape of a volume that MinIO wrote."""
    for path, text in (
        (".minio.sys/format.json", '{"version":"1","format":"xl-single","id":"x"}'),
        (".minio.sys/buckets/uploads/.metadata.bin/xl.meta", "XL2 bucket"),
        ("uploads/acme/old.png/xl.meta", "XL2 object"),
    ):
        file = volume / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def files_of(volume):
    """Each file that is not hangar's, with its time and its bytes."""
    paths = (path for path in volume.rglob("*") if path.is_file() and "@hangar" not in path.parts)
    return {str(path.relative_to(volume)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths}


def test_a_backup_of_planes_is_restored_by_plane_and_holds_what_was_uploaded(plane):
    plane.put_hangar_in()
    large = bytes(range(256)) * 4096
    server = plane.server()
    s3 = s3_client(server)
    s3.put_object(Bucket="uploads", Key="acme/before.png", Body=b"before", ContentType="image/png")
    s3.put_object(Bucket="uploads", Key="acme/large.bin", Body=large)
    archive = plane.backup()
    s3.put_object(Bucket="uploads", Key="acme/after.png", Body=b"after")
    assert server.stop() == 0

    plane.restore(archive)
    server = plane.server()
    s3 = s3_client(server)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="uploads")["Contents"]]
    assert keys == ["acme/before.png", "acme/large.bin"]
    assert s3.get_object(Bucket="uploads", Key="acme/large.bin")["Body"].read() == large
    assert s3.head_object(Bucket="uploads", Key="acme/before.png")["ContentType"] == "image/png"
    s3.put_object(Bucket="uploads", Key="acme/new.png", Body=b"new")
    assert server.stop() == 0
    assert "panicked" not in server.said()


def test_minios_files_in_the_volume_stay_untouched(plane):
    put_minios_files(plane.exported)
    before = files_of(plane.exported)
    plane.put_hangar_in()
    server = plane.server()
    s3 = s3_client(server)
    s3.put_object(Bucket="uploads", Key="acme/old.png", Body=b"the same key")
    s3.delete_object(Bucket="uploads", Key="acme/old.png")
    assert server.stop() == 0
    assert files_of(plane.exported) == before
    assert (plane.exported / "@hangar/log").is_dir()
