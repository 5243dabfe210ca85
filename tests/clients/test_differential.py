"""The same requests to hangar and to moto, another's reading of S3: they answer alike, or a reason stands in DECIDED."""

import base64
import hashlib
import re
import uuid
import xml.etree.ElementTree as ElementTree

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
import requests

from bodies import body

moto_server = pytest.importorskip("moto.server")

BUCKET = f"differential-{uuid.uuid4()}"
HEADERS = ["etag", "content-range", "content-type", "content-length", "cache-control", "content-encoding", "x-amz-meta-mood", "x-amz-tagging-count", "x-amz-mp-parts-count"]
# What no two servers say alike.
VOLATILE = {"LastModified", "CreationDate", "Initiated", "RequestId", "HostId", "Owner", "Initiator", "UploadId", "Message", "Resource", "NextContinuationToken", "ContinuationToken", "NextUploadIdMarker", "ChecksumType", "ChecksumAlgorithm", "ChecksumCRC32", "BucketRegion", "Location"}

def step(name, method, path, data=b"", **headers):
    return pytest.param(name, method, path, data, {key.replace("_", "-"): value for key, value in headers.items()}, id=name)


def xml(root, *inner):
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(inner)}</{root}>'.encode()


def part(number, content):
    return f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{hashlib.md5(content).hexdigest()}&quot;</ETag></Part>"


FIRST = body(5 << 20, "differential")

# In this order: what a step makes, later ones find. {upload} is the id that each server gave to the last upload.
STEPS = [
    step("a bucket is not there", "GET", "/{bucket}?list-type=2"),
    step("head of no bucket", "HEAD", "/{bucket}"),
    step("create a bucket", "PUT", "/{bucket}"),
    step("head of a bucket", "HEAD", "/{bucket}"),
    step("where a bucket is", "GET", "/{bucket}?location"),
    step("versioning of a bucket", "GET", "/{bucket}?versioning"),
    step("an empty listing", "GET", "/{bucket}?list-type=2"),
    step("an empty listing, version 1", "GET", "/{bucket}"),
    step("put", "PUT", "/{bucket}/a", b"hello", Content_Type="text/plain", x_amz_meta_mood="fine", Cache_Control="no-cache"),
    step("put an empty body", "PUT", "/{bucket}/empty", b"", Content_Type="text/plain"),
    step("put in a folder", "PUT", "/{bucket}/folder/b", b"b", Content_Type="text/plain"),
    step("put deeper", "PUT", "/{bucket}/folder/inner/c", b"c", Content_Type="text/plain"),
    step("put an odd key", "PUT", "/{bucket}/%C3%BC%20k%2B%26", b"odd", Content_Type="text/plain"),
    step("put with a wrong MD5", "PUT", "/{bucket}/wrong", b"hello", Content_MD5="1B2M2Y8AsgTpgAmY7PhCfg=="),
    step("delete what was not to be stored", "DELETE", "/{bucket}/wrong"),
    step("put where it must be new", "PUT", "/{bucket}/a", b"other", If_None_Match="*"),
    step("put into no bucket", "PUT", "/none-{bucket}/a", b"hello"),
    step("get", "GET", "/{bucket}/a"),
    step("get nothing", "GET", "/{bucket}/none"),
    step("head", "HEAD", "/{bucket}/a"),
    step("head of nothing", "HEAD", "/{bucket}/none"),
    step("a range", "GET", "/{bucket}/a", Range="bytes=1-2"),
    step("the last bytes", "GET", "/{bucket}/a", Range="bytes=-2"),
    step("a range past the end", "GET", "/{bucket}/a", Range="bytes=9-"),
    step("if it matches", "GET", "/{bucket}/a", If_Match='"5d41402abc4b2a76b9719d911017c592"'),
    step("if another matches", "GET", "/{bucket}/a", If_Match='"other"'),
    step("if none matches", "GET", "/{bucket}/a", If_None_Match='"5d41402abc4b2a76b9719d911017c592"'),
    step("changed since then", "GET", "/{bucket}/a", If_Modified_Since="Thu, 01 Jan 2015 00:00:00 GMT"),
    step("unchanged since then", "GET", "/{bucket}/a", If_Unmodified_Since="Thu, 01 Jan 2015 00:00:00 GMT"),
    step("an override", "GET", "/{bucket}/a?response-content-type=application%2Fjson&response-cache-control=private"),
    step("all keys", "GET", "/{bucket}?list-type=2"),
    step("all keys, version 1", "GET", "/{bucket}"),
    step("all keys, encoded", "GET", "/{bucket}?list-type=2&encoding-type=url"),
    step("all versions", "GET", "/{bucket}?versions"),
    step("a delimiter", "GET", "/{bucket}?list-type=2&delimiter=%2F"),
    step("a delimiter, version 1", "GET", "/{bucket}?delimiter=%2F"),
    step("a prefix and a delimiter", "GET", "/{bucket}?list-type=2&delimiter=%2F&prefix=folder%2F"),
    step("start after", "GET", "/{bucket}?list-type=2&start-after=empty"),
    step("two keys", "GET", "/{bucket}?list-type=2&max-keys=2"),
    step("two keys, version 1", "GET", "/{bucket}?max-keys=2"),
    step("no keys", "GET", "/{bucket}?list-type=2&max-keys=0"),
    step("keys after a marker", "GET", "/{bucket}?marker=empty"),
    step("no number of keys", "GET", "/{bucket}?list-type=2&max-keys=many"),
    step("copy", "PUT", "/{bucket}/copy", x_amz_copy_source="/{bucket}/a"),
    step("head of the copy", "HEAD", "/{bucket}/copy"),
    step("copy with other metadata", "PUT", "/{bucket}/copy", x_amz_copy_source="/{bucket}/a", x_amz_metadata_directive="REPLACE", x_amz_meta_mood="better", Content_Type="text/html"),
    step("head of the other copy", "HEAD", "/{bucket}/copy"),
    step("copy nothing", "PUT", "/{bucket}/copy", x_amz_copy_source="/{bucket}/none"),
    step("copy onto itself", "PUT", "/{bucket}/a", x_amz_copy_source="/{bucket}/a"),
    step("copy if it matches", "PUT", "/{bucket}/copy", x_amz_copy_source="/{bucket}/a", x_amz_copy_source_if_match='"other"'),
    step("no tags of an object", "GET", "/{bucket}/a?tagging"),
    step("tag an object", "PUT", "/{bucket}/a?tagging", xml("Tagging", "<TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet>")),
    step("tags of an object", "GET", "/{bucket}/a?tagging"),
    step("get what has tags", "GET", "/{bucket}/a"),
    step("untag an object", "DELETE", "/{bucket}/a?tagging"),
    step("tags of nothing", "GET", "/{bucket}/none?tagging"),
    step("no tags of a bucket", "GET", "/{bucket}?tagging"),
    step("tag a bucket", "PUT", "/{bucket}?tagging", xml("Tagging", "<TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet>")),
    step("tags of a bucket", "GET", "/{bucket}?tagging"),
    step("untag a bucket", "DELETE", "/{bucket}?tagging"),
    step("no rules of origins", "GET", "/{bucket}?cors"),
    step("no lifecycle", "GET", "/{bucket}?lifecycle"),
    step("no policy", "GET", "/{bucket}?policy"),
    step("no encryption", "GET", "/{bucket}?encryption"),
    step("no website", "GET", "/{bucket}?website"),
    step("no replication", "GET", "/{bucket}?replication"),
    step("no lock", "GET", "/{bucket}?object-lock"),
    step("begin an upload", "POST", "/{bucket}/parts?uploads", Content_Type="text/plain"),
    step("the first part", "PUT", "/{bucket}/parts?partNumber=1&uploadId={upload}", FIRST),
    step("the last part", "PUT", "/{bucket}/parts?partNumber=2&uploadId={upload}", b"last"),
    step("a part's number", "PUT", "/{bucket}/parts?partNumber=10001&uploadId={upload}", b"last"),
    step("parts", "GET", "/{bucket}/parts?uploadId={upload}"),
    step("uploads", "GET", "/{bucket}?uploads"),
    step("complete in the wrong order", "POST", "/{bucket}/parts?uploadId={upload}", xml("CompleteMultipartUpload", part(2, b"last"), part(1, FIRST))),
    step("complete with what is not there", "POST", "/{bucket}/parts?uploadId={upload}", xml("CompleteMultipartUpload", part(3, b"last"))),
    step("complete", "POST", "/{bucket}/parts?uploadId={upload}", xml("CompleteMultipartUpload", part(1, FIRST), part(2, b"last"))),
    step("head of what came in parts", "HEAD", "/{bucket}/parts"),
    step("the second part of it", "GET", "/{bucket}/parts?partNumber=2"),
    step("an upload that is not there", "PUT", "/{bucket}/parts?partNumber=1&uploadId=none", b"x"),
    step("begin another", "POST", "/{bucket}/more?uploads"),
    step("a small part", "PUT", "/{bucket}/more?partNumber=1&uploadId={upload}", b"small"),
    step("another", "PUT", "/{bucket}/more?partNumber=2&uploadId={upload}", b"small"),
    step("complete what is too small", "POST", "/{bucket}/more?uploadId={upload}", xml("CompleteMultipartUpload", part(1, b"small"), part(2, b"small"))),
    step("abort", "DELETE", "/{bucket}/more?uploadId={upload}"),
    step("abort again", "DELETE", "/{bucket}/more?uploadId={upload}"),
    step("attributes", "GET", "/{bucket}/a?attributes", x_amz_object_attributes="ETag,ObjectSize,StorageClass"),
    step("delete a bucket with objects", "DELETE", "/{bucket}"),
    step("delete", "DELETE", "/{bucket}/a"),
    step("delete again", "DELETE", "/{bucket}/a"),
    step("delete many", "POST", "/{bucket}?delete", xml("Delete", *(f"<Object><Key>{key}</Key></Object>" for key in ("copy", "empty", "none")))),
    step("delete many quietly", "POST", "/{bucket}?delete", xml("Delete", "<Quiet>true</Quiet>", *(f"<Object><Key>{key}</Key></Object>" for key in ("folder/b", "folder/inner/c", "ü k+&amp;", "parts")))),
    step("nothing is left", "GET", "/{bucket}?list-type=2"),
    step("delete a bucket", "DELETE", "/{bucket}"),
    step("delete it again", "DELETE", "/{bucket}"),
]

# Where they may differ, and why hangar answers as it does. Held to the letter: a step that is answered alike must go.
DECIDED = {
    "versioning of a bucket": "AWS names the element VersioningConfiguration",
    "put with a wrong MD5": "moto does not compare Content-MD5",
    "two keys, version 1": "AWS gives NextMarker only where a delimiter was asked for",
    "keys after a marker": "AWS repeats the marker",
    "no number of keys": "AWS answers 400 InvalidArgument; moto fails with 500",
    "copy": "AWS has the ETag in the document, not in a header",
    "copy with other metadata": "AWS has the ETag in the document, not in a header",
    "copy if it matches": "moto does not judge x-amz-copy-source-if-match",
    "parts": "AWS names the element ListPartsResult",
    "complete in the wrong order": "the order is judged before the sizes; AWS does not say which comes first",
    "the second part of it": "moto ignores partNumber where it reads",
    "an upload that is not there": "AWS answers 404 NoSuchUpload; moto fails with 500",
    "attributes": "AWS's reference has both GetObjectAttributesOutput and, in its examples, GetObjectAttributesResponse",
    "delete many quietly": "AWS names only what failed",
}


class Peer:
    def __init__(self, url, access_key, secret_key):
        self.url = url
        self.credentials = botocore.credentials.Credentials(access_key, secret_key)
        self.upload = "none"

    def ask(self, method, path, data, headers):
        known = {"bucket": BUCKET, "upload": self.upload}
        request = botocore.awsrequest.AWSRequest(
            method=method,
            url=self.url + path.format(**known),
            data=data,
            headers={name: value.format(**known) for name, value in headers.items()} | {"Host": self.url.split("//")[1]},
        )
        if path.endswith("?delete"):
            request.headers["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(data).digest()).decode()
        botocore.auth.S3SigV4Auth(self.credentials, "s3", "us-east-1").add_auth(request)
        with requests.Session() as session:
            prepared = requests.Request(method, self.url, data=data, headers=dict(request.headers)).prepare()
            prepared.url = request.url
            answer = session.send(prepared, timeout=20)
        if made := re.search("<UploadId>([^<]+)</UploadId>", answer.text):
            self.upload = made[1]
        return answer


@pytest.fixture(scope="module")
def peers(hangar):
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Peer(hangar.url, hangar.access_key, hangar.secret_key), Peer(f"http://{host}:{port}", "moto", "moto")
    server.stop()


def leaves(element, path=""):
    """An element as lines of path and value: without what is empty or what no two servers say alike, in an order of its own."""
    path += "/" + element.tag.rsplit("}", 1)[-1]
    inner = [sorted(leaves(child, path)) for child in element if child.tag.rsplit("}", 1)[-1] not in VOLATILE]
    if len(element):
        # Lines of one child stay together, so that a size cannot wander to another key.
        return [" ".join(lines) if len(lines) > 1 else lines[0] for lines in sorted(inner) if lines]
    value = (element.text or "").strip().strip('"')
    return [f"{path}={value}"] if value else []


def normal(answer, method):
    """What of an answer must be alike, as a set of lines."""
    told = {f"status={answer.status_code}"}
    try:
        document = ElementTree.fromstring(answer.content) if "xml" in answer.headers.get("Content-Type", "") else None
    except ElementTree.ParseError:
        document = None
    if answer.status_code < 300:
        ignored = {"content-type", "content-length"} if document is not None or method not in ("GET", "HEAD") else set()
        told |= {f"{name}: {answer.headers[name]}" for name in HEADERS if name in answer.headers and name not in ignored}
    if document is not None and document.tag.endswith("Error"):
        told.add(f"code={document.findtext('Code')}")
    elif document is not None:
        told |= {document.tag, *leaves(document)}
    elif method == "GET" and answer.status_code < 300:
        told.add(f"body={hashlib.md5(answer.content).hexdigest()}")
    return told


@pytest.mark.parametrize("name, method, path, data, headers", STEPS)
def test_they_answer_alike(peers, name, method, path, data, headers):
    hangar, moto = (normal(peer.ask(method, path, data, headers), method) for peer in peers)
    differing = [f"hangar: {line}" for line in sorted(hangar - moto)] + [f"moto: {line}" for line in sorted(moto - hangar)]
    if name in DECIDED:
        assert differing, f"they answer alike by now: take it out of DECIDED ({DECIDED[name]})"
    else:
        assert not differing, "\n".join(differing)


def test_every_decision_is_of_a_step():
    assert set(DECIDED) <= {step.values[0] for step in STEPS}
