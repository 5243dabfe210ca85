"""Every rule for a form that is posted to a bucket: each refusal with its code, and that a refused form stores nothing."""

import base64
import datetime
import email.header
import email.message
import json
import urllib.parse
import uuid

import pytest
import requests

from policy import BOUNDARY, Form, amz_date, iso, joined, multipart, now, part, post, signature
from refusal import Refusal
from server import wait_until

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def key():
    return f"forms/{uuid.uuid4()}/hello.txt"


@pytest.fixture
def mark():
    """A file that can be told from all others on the disk."""
    return f"a file that must not be stored {uuid.uuid4()}".encode()


@pytest.fixture
def refused(hangar, s3, key, mark):
    """Judges an answer as a refusal, and that it left nothing behind."""

    before = hangar.blobs()

    def judge(answer, status, *codes):
        refusal = Refusal(answer)
        assert refusal.status == status, refusal
        assert refusal.code in codes, refusal
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        folder = key.rsplit("/", 1)[0]
        assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=folder)["KeyCount"] == 0
        assert hangar.blobs() == before
        assert not hangar.holds_on_disk(mark)
        return refusal

    return judge


def stored(s3, form, file):
    found = s3.get_object(Bucket=form.bucket, Key=form.key)
    assert found["Body"].read() == file
    return found


# What is taken


def test_a_form_is_stored_and_answered_with_204_an_etag_and_its_place(hangar, s3, key):
    form = Form(hangar, key)
    answer = form.post(b"hello")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert answer.headers["Location"].endswith(f"/{hangar.bucket}/{key}")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "etag" in answer.headers["Access-Control-Expose-Headers"].lower()
    assert answer.headers["x-amz-request-id"] and answer.headers["x-amz-id-2"]
    assert stored(s3, form, b"hello")["ContentType"] == "text/plain"


def test_the_address_may_end_in_a_slash(hangar, s3, key):
    form = Form(hangar, key)
    assert form.post(path=f"/{hangar.bucket}/").status_code == 204
    stored(s3, form, b"hello")


def test_the_type_comes_from_the_field_and_not_from_the_part(hangar, s3, key):
    form = Form(hangar, key)
    assert form.post(file_type="text/html").status_code == 204
    assert stored(s3, form, b"hello")["ContentType"] == "text/plain"


def test_a_form_without_a_type_is_stored_as_octets(hangar, s3, key):
    form = Form(hangar, key)
    del form.fields["Content-Type"]
    form.conditions = [{"bucket": form.bucket}, {"key": key}]
    assert form.post().status_code == 204
    assert stored(s3, form, b"hello")["ContentType"] == "application/octet-stream"


def test_field_names_are_case_insensitive(hangar, s3, key):
    form = Form(hangar, key)
    fields = [(name.swapcase(), value) for name, value in form.signed()] + [("FILE", b"hello")]
    assert post(hangar, f"/{hangar.bucket}", multipart(fields)).status_code == 204
    stored(s3, form, b"hello")


def test_fields_after_the_file_are_ignored(hangar, s3, key):
    form = Form(hangar, key)
    body = multipart(form.signed() + [("file", b"hello"), ("key", "another"), ("acl", "public-read")])
    assert post(hangar, f"/{hangar.bucket}", body).status_code == 204
    stored(s3, form, b"hello")


def test_only_the_part_named_file_is_the_file(hangar, s3, key):
    form = Form(hangar, key)
    parts = [part(name, value, filename=name, content_type="text/plain") for name, value in form.signed()]
    parts.append(part("file", b"hello", filename="file"))
    assert post(hangar, f"/{hangar.bucket}", joined(parts)).status_code == 204
    stored(s3, form, b"hello")


def test_the_file_part_needs_no_file_name(hangar, s3, key):
    form = Form(hangar, key)
    parts = [part(name, value) for name, value in form.signed()] + [part("file", b"hello")]
    assert post(hangar, f"/{hangar.bucket}", joined(parts)).status_code == 204
    stored(s3, form, b"hello")


@pytest.mark.parametrize(
    "sent, kept",
    [("me.png", "me.png"), ("C:\\\\pictures\\\\me.png", "me.png"), ("/home/ada/me.png", "me.png"), ("żółw ☕.png", "żółw ☕.png")],
)
def test_filename_in_the_key_becomes_the_name_of_the_file_without_its_path(hangar, s3, key, sent, kept):
    folder = key.rsplit("/", 1)[0]
    form = Form(
        hangar,
        folder + "/${filename}",
        conditions=[{"bucket": hangar.bucket}, ["starts-with", "$key", folder + "/"], {"Content-Type": "text/plain"}],
    )
    assert form.post(filename=sent).status_code == 204
    listed = s3.list_objects_v2(Bucket=hangar.bucket, Prefix=folder + "/")["Contents"]
    assert [entry["Key"] for entry in listed] == [f"{folder}/{kept}"]


def test_the_key_is_checked_after_filename_was_filled_in(hangar, s3, key):
    folder = key.rsplit("/", 1)[0]
    conditions = [{"bucket": hangar.bucket}, {"key": f"{folder}/me.png"}, {"Content-Type": "text/plain"}]
    form = Form(hangar, folder + "/${filename}", conditions=conditions)
    assert form.post(filename="you.png").status_code == 403
    assert form.post(filename="me.png").status_code == 204
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=folder)["KeyCount"] == 1


def test_metadata_and_headers_of_the_form_are_kept(hangar, s3, key):
    fields = {
        "Cache-Control": "max-age=60",
        "Content-Disposition": "inline",
        "Content-Encoding": "identity",
        "Content-Language": "pl",
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
        "x-amz-meta-Colour": "red",
        "x-amz-storage-class": "STANDARD",
        "acl": "private",
    }
    form = Form(hangar, key, fields)
    assert form.post().status_code == 204
    found = stored(s3, form, b"hello")
    assert found["Metadata"] == {"colour": "red"}
    assert found["CacheControl"] == "max-age=60"
    assert found["ContentDisposition"] == "inline"
    assert found["ContentLanguage"] == "pl"
    assert found["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Thu, 01 Dec 2033 16:00:00 GMT"


@pytest.mark.parametrize("asked, status", [("200", 200), ("201", 201), ("204", 204), ("202", 204), ("no number", 204)])
def test_success_action_status_chooses_the_answer(hangar, s3, key, asked, status):
    form = Form(hangar, key, {"success_action_status": asked})
    answer = form.post()
    assert answer.status_code == status
    if status == 201:
        assert answer.headers["Content-Type"] == "application/xml"
        for element in ("PostResponse", "Location", f"<Bucket>{hangar.bucket}</Bucket>", f"<Key>{key}</Key>", "<ETag>"):
            assert element in answer.text
    else:
        assert answer.content == b""
    stored(s3, form, b"hello")


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
def test_success_action_redirect_is_followed_with_bucket_key_and_etag(hangar, s3, key, name):
    form = Form(hangar, key, {name: "https://plane.example.com/done?from=form"})
    answer = form.post()
    assert answer.status_code == 303
    place = answer.headers["Location"]
    assert place.startswith("https://plane.example.com/done?from=form&bucket=uploads&key=")
    assert "&etag=%225d41402abc4b2a76b9719d911017c592%22" in place
    stored(s3, form, b"hello")


@pytest.mark.parametrize("target", ["javascript:alert(1)", "/relative", "ftp://example.com/", "https://"])
def test_a_redirect_to_an_invalid_address_falls_back_to_204(hangar, s3, key, target):
    form = Form(hangar, key, {"success_action_redirect": target})
    answer = form.post()
    assert answer.status_code == 204
    assert answer.headers["Location"] != target
    stored(s3, form, b"hello")


def test_x_ignore_fields_need_no_condition(hangar, s3, key):
    form = Form(hangar, key)
    form.fields["x-ignore-mood"] = "fine"
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


@pytest.mark.parametrize("region", ["", "us-east-1", "eu-central-1"])
def test_any_region_is_taken_where_none_is_set(hangar, s3, key, region):
    form = Form(hangar, key, region=region)
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_a_form_that_was_issued_half_an_hour_ago_is_good(hangar, s3, key):
    form = Form(hangar, key, date=now() - HOUR / 2, expiration=iso(now() + HOUR / 2))
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


@pytest.mark.parametrize("fraction", [".0Z", ".123Z", ".123456Z"])
def test_an_expiration_may_have_fractions(hangar, s3, key, fraction):
    form = Form(hangar, key, expiration=iso(now() + HOUR).replace("Z", fraction))
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


@pytest.mark.parametrize("size", [1, 10, 300_000])
def test_both_bounds_of_the_length_are_inclusive(hangar, s3, key, size):
    form = Form(hangar, key, size=(size, size))
    assert form.post(b"x" * size).status_code == 204
    stored(s3, form, b"x" * size)


def test_bounds_of_the_length_may_be_numeric_strings(hangar, s3, key):
    form = Form(hangar, key, size=("1", "5"))
    assert form.post(b"hello").status_code == 204
    assert Refusal(form.post(b"hello!")).code == "EntityTooLarge"
    stored(s3, form, b"hello")


def test_an_empty_file_is_taken_where_the_policy_allows_it(hangar, s3, key):
    form = Form(hangar, key, size=(0, 5))
    assert form.post(b"").status_code == 204
    stored(s3, form, b"")


@pytest.mark.parametrize(
    "condition",
    [
        ["eq", "$Content-Type", "text/plain"],
        ["EQ", "$content-type", "text/plain"],
        ["Starts-With", "$Content-Type", "text/"],
        ["starts-with", "$Content-Type", ""],
        {"CONTENT-TYPE": "text/plain"},
    ],
    ids=str,
)
def test_operators_and_names_of_conditions_are_case_insensitive(hangar, s3, key, condition):
    form = Form(hangar, key, conditions=[{"bucket": hangar.bucket}, {"key": key}, condition])
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_a_field_that_is_absent_starts_with_nothing(hangar, s3, key):
    form = Form(hangar, key)
    form.conditions.append(["starts-with", "$x-amz-meta-mood", ""])
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_a_file_that_looks_like_boundaries_is_kept_byte_for_byte_however_the_stream_is_cut(hangar, s3, key):
    file = b"\r\n".join(
        [b"--", f"--{BOUNDARY[:-1]}".encode(), f"-{BOUNDARY}".encode(), f"{BOUNDARY}--".encode(), b"", b"\r", b"\r\n--"]
    )
    form = Form(hangar, key)
    body = multipart(form.signed() + [("file", file)])
    for size in (1, 2, 3, 7, len(BOUNDARY), 1000):
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        answer = post(hangar, f"/{hangar.bucket}", pieces)
        assert answer.status_code == 204, (size, answer.text)
        stored(s3, form, file)


def test_a_quoted_boundary_a_preamble_and_an_epilogue_are_read(hangar, s3, key):
    form = Form(hangar, key)
    boundary = "a boundary with: (odd) characters, really?"
    body = multipart(form.signed() + [("file", b"hello")], boundary=boundary)
    body = b"This is the preamble.\r\n--not it\r\n" + body + b"This is the epilogue.\r\n"
    answer = post(hangar, f"/{hangar.bucket}", body, content_type=f'multipart/form-data; boundary="{boundary}"')
    assert answer.status_code == 204, answer.text
    stored(s3, form, b"hello")


def test_a_policy_may_be_used_again_and_the_last_file_wins(hangar, s3, key):
    form = Form(hangar, key)
    assert form.post(b"first").status_code == 204
    assert form.post(b"second").status_code == 204
    stored(s3, form, b"second")


# 1. The bucket and the kind of body


def test_an_unknown_bucket_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    refusal = refused(form.post(mark, path="/no-such-bucket"), 404, "NoSuchBucket")
    assert refusal.elements["BucketName"] == "no-such-bucket"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/png"])
def test_a_body_that_is_not_a_form_is_refused(hangar, key, mark, refused, content_type):
    body = multipart(Form(hangar, key).signed() + [("file", mark)])
    refused(post(hangar, f"/{hangar.bucket}", body, content_type=content_type), 412, "PreconditionFailed")


def test_the_bucket_is_checked_before_the_content_type(hangar, mark, refused):
    refused(post(hangar, "/no-such-bucket", mark, content_type="text/plain"), 404, "NoSuchBucket")


# 2. and 3. The fields of the signature


def test_a_form_without_a_policy_is_refused(hangar, key, mark, refused):
    refused(Form(hangar, key).spoil(policy=None).post(mark), 403, "AccessDenied")


def test_a_form_without_anything_signed_is_refused(hangar, key, mark, refused):
    refused(post(hangar, f"/{hangar.bucket}", multipart([("key", key), ("file", mark)])), 403, "AccessDenied")


def test_a_policy_that_stands_alone_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key).spoil(
        x_amz_algorithm=None, x_amz_credential=None, x_amz_date=None, x_amz_signature=None
    )
    refused(form.post(mark), 403, "AccessDenied")


SIGNED_FIELDS = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"]


@pytest.mark.parametrize("name", SIGNED_FIELDS)
def test_a_missing_field_of_the_signature_is_refused_by_its_name(hangar, key, mark, refused, name):
    form = Form(hangar, key)
    form.after_signing[name] = None
    refusal = refused(form.post(mark), 400, "InvalidArgument")
    assert name in f"{refusal}".lower()


MALFORMED = [
    ("x-amz-algorithm", "AWS4-HMAC-SHA1"),
    ("x-amz-algorithm", "aws4-hmac-sha256"),
    ("x-amz-algorithm", ""),
    ("x-amz-credential", ""),
    ("x-amz-credential", "hangar-judge"),
    ("x-amz-credential", "hangar-judge/20261123/us-east-1/s3"),
    ("x-amz-credential", "/20261123/us-east-1/s3/aws4_request"),
    ("x-amz-credential", "hangar-judge/yesterday/us-east-1/s3/aws4_request"),
    ("x-amz-date", ""),
    ("x-amz-date", "yesterday"),
    ("x-amz-date", "2026-11-23T09:18:10Z"),
    ("x-amz-date", "20261323T091810Z"),
    ("x-amz-date", "20261123T091810+"),
    ("x-amz-signature", ""),
    ("x-amz-signature", "abc"),
    ("x-amz-signature", "z" * 64),
    ("x-amz-signature", "0" * 65),
]


@pytest.mark.parametrize("name, value", MALFORMED)
def test_a_malformed_field_of_the_signature_is_refused_by_its_name(hangar, key, mark, refused, name, value):
    form = Form(hangar, key)
    form.after_signing[name] = value
    refusal = refused(form.post(mark), 400, "InvalidArgument")
    assert name in f"{refusal}".lower()


@pytest.mark.parametrize("wrong", [{"service": "ec2"}, {"terminator": "aws5_request"}], ids=str)
def test_a_scope_for_something_else_is_refused(hangar, key, mark, refused, wrong):
    answer = Form(hangar, key, **wrong).post(mark)
    refused(answer, answer.status_code, "InvalidArgument", "AccessDenied", "AuthorizationHeaderMalformed")
    assert answer.status_code in (400, 403)


def test_a_scope_of_another_day_than_the_date_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    another = amz_date(form.signing["date"] - 24 * HOUR)
    form.conditions = [{"bucket": hangar.bucket}, {"key": key}, {"Content-Type": "text/plain"}, {"x-amz-date": another}]
    answer = form.spoil(x_amz_date=another).post(mark)
    refused(answer, answer.status_code, "InvalidArgument", "AccessDenied", "AuthorizationHeaderMalformed")
    assert answer.status_code in (400, 403)


def test_a_date_more_than_a_quarter_of_an_hour_ahead_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key, date=now() + HOUR / 3)
    refused(form.post(mark), 403, "RequestTimeTooSkewed", "AccessDenied")


def test_an_unknown_access_key_is_refused(hangar, key, mark, refused):
    refused(Form(hangar, key, access_key="nobody").post(mark), 403, "InvalidAccessKeyId")


def test_a_set_region_takes_its_own_us_east_1_and_the_empty_one_only(start_hangar, key, mark):
    server = start_hangar(AWS_REGION="eu-central-1")
    for region in ("eu-central-1", "us-east-1", ""):
        assert Form(server, key, region=region).post(mark).status_code == 204
    refusal = Refusal(Form(server, key, region="eu-west-1").post(mark))
    assert (refusal.status, refusal.code) == (403, "AccessDenied")
    assert "eu-central-1" in refusal.message


# 4. The signature


def test_a_signature_by_another_secret_is_refused(hangar, key, mark, refused):
    refused(Form(hangar, key, secret_key="guessed").post(mark), 403, "SignatureDoesNotMatch")


def test_a_signature_with_one_digit_changed_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    right = dict(form.signed())["x-amz-signature"]
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    refused(form.spoil(x_amz_signature=wrong).post(mark), 403, "SignatureDoesNotMatch")


def test_a_policy_that_was_changed_after_signing_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    wider = form.document() | {"expiration": iso(now() + 48 * HOUR)}
    wider = base64.b64encode(json.dumps(wider).encode()).decode()
    refused(form.spoil(policy=wider).post(mark), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("policy", ["", "no policy", "{}", '{"expiration":"2020-01-01T00:00:00Z","conditions":[]}'])
def test_the_signature_is_verified_before_the_policy_is_read(hangar, key, mark, refused, policy):
    form = Form(hangar, key, policy=policy or " ", secret_key="guessed")
    refused(form.post(mark), 403, "SignatureDoesNotMatch")


# 5. The policy document


def documents():
    good = {"expiration": iso(now() + HOUR), "conditions": []}
    text = json.dumps(good)
    deep = "[" * 100 + "]" * 100
    yield "no JSON", "no policy"
    yield "half of it", text[:-1]
    yield "something behind it", text + "{}"
    yield "not UTF-8", b'{"expiration":"\xff"}'
    yield "a list", "[]"
    yield "a string", '"policy"'
    yield "null", "null"
    yield "an empty object", "{}"
    yield "no expiration", json.dumps({"conditions": []})
    yield "no conditions", json.dumps({"expiration": good["expiration"]})
    yield "expiration in another case", json.dumps({"Expiration": good["expiration"], "conditions": []})
    yield "conditions in another case", json.dumps({"expiration": good["expiration"], "CONDITIONS": []})
    yield "a further name", json.dumps(good | {"version": "2012-10-17"})
    yield "expiration twice", text[:-1] + f', "expiration": "{good["expiration"]}"' + "}"
    yield "conditions twice", text[:-1] + ', "conditions": []}'
    yield "conditions as an object", json.dumps(good | {"conditions": {}})
    yield "conditions as null", json.dumps(good | {"conditions": None})
    yield "a nest", text.replace("[]", deep)
    for value in (None, 5, "", "tomorrow", "2033-01-01", "2033-13-01T00:00:00Z", "2033-01-01T00:00:00", "2033-01-01T00:00:00+02:00"):
        yield f"expiration {value!r}", json.dumps(good | {"expiration": value})


@pytest.mark.parametrize("policy", [pytest.param(text, id=name) for name, text in documents()])
def test_a_document_that_is_not_a_policy_is_refused(hangar, key, mark, refused, policy):
    refused(Form(hangar, key, policy=policy).post(mark), 400, "InvalidPolicyDocument")


CONDITIONS_THAT_ARE_NONE = [
    "a text",
    5,
    None,
    [],
    {},
    ["eq"],
    ["eq", "$key"],
    ["eq", "$key", "a", "b"],
    ["eq", "$Content-Type", 5],
    ["eq", "$Content-Type", None],
    ["eq", 5, "a"],
    ["equals", "$Content-Type", "text/plain"],
    ["ends-with", "$Content-Type", "plain"],
    [5, "$Content-Type", "text/plain"],
    {"Content-Type": 5},
    {"Content-Type": ["text/plain"]},
    {"Content-Type": {"eq": "text/plain"}},
    ["content-length-range"],
    ["content-length-range", 1],
    ["content-length-range", 1, 2, 3],
    ["content-length-range", 1, None],
    ["content-length-range", 1, "many"],
    ["content-length-range", 1, ""],
    ["content-length-range", 1, 2.5],
    ["content-length-range", -1, 100],
    ["content-length-range", "-1", "100"],
    ["content-length-range", 100, 99],
    ["content-length-range", 1, 0],
    ["content-length-range", [1], {}],
]


@pytest.mark.parametrize("condition", CONDITIONS_THAT_ARE_NONE, ids=json.dumps)
def test_an_invalid_condition_is_refused(hangar, key, mark, refused, condition):
    form = Form(hangar, key)
    form.conditions.append(condition)
    refused(form.post(mark), 400, "InvalidPolicyDocument")


def test_a_policy_that_is_not_base64_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    text = "this is *not* base64"
    day = amz_date(form.signing["date"])[:8]
    signed = signature(hangar.secret_key, day, "us-east-1", text)
    refused(form.spoil(policy=text, x_amz_signature=signed).post(mark), 400, "InvalidPolicyDocument")


# 6. Expiration


@pytest.mark.parametrize("ago", [datetime.timedelta(seconds=1), HOUR, 10_000 * 24 * HOUR], ids=str)
def test_a_policy_past_its_expiration_is_refused(hangar, key, mark, refused, ago):
    form = Form(hangar, key, expiration=iso(now() - ago))
    refusal = refused(form.post(mark), 403, "AccessDenied")
    assert refusal.message == "Invalid according to Policy: Policy expired."


# 7. Conditions and fields


def failing(bucket, key):
    yield "another key", {"key": key + "2"}
    yield "a key in another case", {"key": key.upper()}
    yield "eq", ["eq", "$Content-Type", "text/html"]
    yield "eq in another case of the value", ["eq", "$Content-Type", "Text/Plain"]
    yield "starts-with", ["starts-with", "$key", "avatars/"]
    yield "starts-with a longer text", ["starts-with", "$key", key + "/"]
    yield "another bucket", {"bucket": bucket + "2"}
    yield "a bucket's prefix", ["starts-with", "$bucket", "down"]
    yield "an absent field", {"x-amz-meta-mood": "fine"}
    yield "an absent field that is empty", {"x-amz-meta-mood": ""}
    yield "an absent field's prefix", ["starts-with", "$x-amz-meta-mood", "f"]


@pytest.mark.parametrize("number", range(len(list(failing("", "")))), ids=[name for name, _ in failing("", "")])
def test_a_condition_that_fails_is_refused(hangar, key, mark, refused, number):
    form = Form(hangar, key)
    form.conditions.append(list(failing(hangar.bucket, key))[number][1])
    refusal = refused(form.post(mark), 403, "AccessDenied")
    assert refusal.message.startswith("Invalid according to Policy: Policy Condition failed: ")


@pytest.mark.parametrize(
    "prefix, value, status",
    [("image/", "image/png,image/gif", 204), ("image/", "image/png,text/html", 403), ("image/", "text/html", 403)],
)
def test_each_of_several_types_must_start_with_the_prefix(hangar, s3, key, mark, prefix, value, status):
    form = Form(hangar, key)
    form.fields["Content-Type"] = value
    form.conditions = [{"bucket": hangar.bucket}, {"key": key}, ["starts-with", "$Content-Type", prefix]]
    assert form.post(mark).status_code == status


def test_a_field_changed_after_signing_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key).spoil(Content_Type="text/html")
    refusal = refused(form.post(mark), 403, "AccessDenied")
    assert refusal.message.startswith("Invalid according to Policy: Policy Condition failed: ")


def test_repeated_conditions_must_all_hold(hangar, s3, key, mark, refused):
    form = Form(hangar, key)
    form.conditions += [{"bucket": hangar.bucket}, {"key": key}, {"key": key}]
    spoiled = Form(hangar, key)
    spoiled.conditions += [{"key": key}, {"key": "another"}]
    refused(spoiled.post(mark), 403, "AccessDenied")
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_a_policy_that_says_nothing_of_the_bucket_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key, conditions=[{"key": key}, {"Content-Type": "text/plain"}])
    refused(form.post(mark), 403, "AccessDenied")


@pytest.mark.parametrize("name", ["acl", "success_action_redirect", "x-amz-meta-mood", "success_action_status", "tagging"])
def test_a_field_that_no_condition_names_is_refused(hangar, key, mark, refused, name):
    form = Form(hangar, key)
    form.fields[name] = "private"
    refusal = refused(form.post(mark), 403, "AccessDenied")
    assert refusal.message == f"Invalid according to Policy: Extra input fields: {name}"


def test_a_posted_bucket_must_be_the_addressed_one(hangar, s3, key, mark, refused):
    another = Form(hangar, key)
    another.fields["bucket"] = "another"
    refused(another.post(mark), 403, "AccessDenied")
    same = Form(hangar, key)
    same.fields["bucket"] = hangar.bucket
    assert same.post().status_code == 204
    stored(s3, same, b"hello")


# 8. Keys and metadata


def test_a_key_of_1024_bytes_is_taken_and_one_of_1025_is_not(hangar, s3, key, mark, refused):
    stem = key.rsplit("/", 1)[0] + "/"
    refused(Form(hangar, stem.ljust(1025, "k")).post(mark), 400, "KeyTooLongError")
    form = Form(hangar, stem.ljust(1024, "k"))
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_an_empty_key_is_refused(hangar, mark, refused):
    answer = Form(hangar, "").post(mark)
    refused(answer, 400, "KeyTooLongError", "InvalidArgument", "UserKeyMustBeSpecified")


def test_a_form_without_a_key_is_refused(hangar, mark, refused, key):
    form = Form(hangar, key, conditions=[{"bucket": hangar.bucket}, {"Content-Type": "text/plain"}])
    del form.fields["key"]
    answer = form.post(mark)
    refused(answer, 400, "InvalidArgument", "UserKeyMustBeSpecified", "KeyTooLongError")


def test_metadata_over_two_kilobytes_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key, {"x-amz-meta-a": "a" * 1500, "x-amz-meta-b": "b" * 1500})
    refused(form.post(mark), 400, "MetadataTooLarge")


# 9. The file


@pytest.mark.parametrize("size, limit", [(6, 5), (262_145, 262_144), (3_000_000, 1_000_000)])
def test_a_file_over_the_limit_is_refused(hangar, key, mark, refused, size, limit):
    form = Form(hangar, key, size=(1, limit))
    refusal = refused(form.post(b"x" * size), 400, "EntityTooLarge")
    assert refusal.elements["MaxSizeAllowed"] == str(limit)
    assert int(refusal.elements["ProposedSize"]) > limit


@pytest.mark.parametrize("size, least", [(0, 1), (4, 5)])
def test_a_file_under_the_limit_is_refused(hangar, key, refused, size, least):
    form = Form(hangar, key, size=(least, 100))
    refusal = refused(form.post(b"x" * size), 400, "EntityTooSmall")
    assert refusal.elements["ProposedSize"] == str(size)
    assert refusal.elements["MinSizeAllowed"] == str(least)


def test_of_several_ranges_all_must_hold(hangar, key, refused):
    form = Form(hangar, key, size=(1, 100))
    form.conditions.append(["content-length-range", 5, 10])
    refused(form.post(b"x" * 11), 400, "EntityTooLarge")
    refused(form.post(b"x" * 4), 400, "EntityTooSmall")


def test_the_policy_is_checked_before_the_file(hangar, key, mark, refused):
    form = Form(hangar, key, size=(1, 5), expiration=iso(now() - HOUR))
    refused(form.post(mark), 403, "AccessDenied")


@pytest.mark.parametrize("name, good", [("sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="), ("crc32", "NhCmhg==")])
def test_a_checksum_in_the_form_is_verified(hangar, s3, key, refused, name, good):
    wrong = Form(hangar, key, {f"x-amz-checksum-{name}": good})
    refused(wrong.post(b"jello"), 400, "BadDigest")
    right = Form(hangar, key, {f"x-amz-checksum-{name}": good})
    assert right.post(b"hello").status_code == 204
    stored(s3, right, b"hello")


# Limits


def test_a_field_over_20_kilobytes_is_refused(hangar, s3, key, mark, refused):
    form = Form(hangar, key)
    form.fields["x-ignore-long"] = "x" * (20 * 1024 + 1)
    refused(form.post(mark), 400, "MaxPostPreDataLengthExceeded")
    form.fields["x-ignore-long"] = "x" * 20_000
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_a_policy_over_20_kilobytes_is_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    form.conditions += [["starts-with", "$x-amz-meta-mood", ""]] * 400
    refused(form.post(mark), 400, "MaxPostPreDataLengthExceeded")


def test_more_than_100_fields_are_refused(hangar, s3, key, mark, refused):
    form = Form(hangar, key)
    besides = len(form.signed())
    form.fields |= {f"x-ignore-{number}": "x" for number in range(101 - besides)}
    assert len(form.signed()) == 101
    refused(form.post(mark), 400, "MaxPostPreDataLengthExceeded")
    del form.fields["x-ignore-0"], form.fields["x-ignore-1"]
    assert form.post().status_code == 204
    stored(s3, form, b"hello")


def test_more_than_64_kilobytes_before_the_file_are_refused(hangar, key, mark, refused):
    form = Form(hangar, key)
    form.fields |= {f"x-ignore-{number}": "x" * 17_000 for number in range(4)}
    refused(form.post(mark), 400, "MaxPostPreDataLengthExceeded")


def test_headers_of_a_part_over_8_kilobytes_are_refused(hangar, key, mark, refused):
    long = part("x-ignore-long", "x", more_headers=["X-Long: " + "x" * 8200])
    parts = [long] + [part(name, value) for name, value in Form(hangar, key).signed()] + [part("file", mark, "f")]
    refused(post(hangar, f"/{hangar.bucket}", joined(parts)), 400, "MaxPostPreDataLengthExceeded")


@pytest.mark.parametrize("name", ["key", "KEY", "Content-Type", "policy", "x-amz-signature", "x-ignore-mood"])
def test_a_field_twice_before_the_file_is_refused(hangar, key, mark, refused, name):
    form = Form(hangar, key)
    form.fields["x-ignore-mood"] = "fine"
    fields = form.signed()
    value = {field.lower(): value for field, value in fields}[name.lower()]
    refused(post(hangar, f"/{hangar.bucket}", multipart([(name, value), *fields, ("file", mark)])), 400, "InvalidArgument")


# Broken forms


def test_a_form_without_a_file_is_refused(hangar, key, refused):
    refusal = refused(post(hangar, f"/{hangar.bucket}", multipart(Form(hangar, key).signed())), 400, "InvalidArgument")
    assert refusal.message == "POST requires exactly one file upload per request"


def broken(fields, mark):
    whole = multipart(fields + [("file", mark)])
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    yield "no closing boundary", whole.removesuffix(end)
    yield "a boundary that does not close", whole.removesuffix(b"--\r\n") + b"\r\n"
    yield "half of the closing boundary", whole.removesuffix(end) + end[:10]
    yield "cut in a field", whole[: whole.index(b"policy") + 200]
    yield "cut in a header", whole[: whole.index(b"filename")]
    yield "bare line feeds", whole.replace(b"\r\n", b"\n")
    yield "no part at all", f"--{BOUNDARY}--\r\n".encode()
    yield "an empty body", b""
    yield "another boundary", whole.replace(BOUNDARY.encode(), b"another")
    yield "only a preamble", mark


BROKEN = [name for name, _ in broken([("policy", "x" * 400)], b"")]


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=BROKEN)
def test_a_broken_form_is_refused(hangar, key, mark, refused, number):
    body = list(broken(Form(hangar, key).signed(), mark))[number][1]
    answer = post(hangar, f"/{hangar.bucket}", body)
    refused(answer, 400, "MalformedPOSTRequest", "IncompleteBody")


@pytest.mark.parametrize("number", [5, 6], ids=BROKEN[5:7])
def test_bare_line_feeds_and_no_part_at_all_are_malformed(hangar, key, mark, refused, number):
    body = list(broken(Form(hangar, key).signed(), mark))[number][1]
    refused(post(hangar, f"/{hangar.bucket}", body), 400, "MalformedPOSTRequest")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""'])
def test_a_form_without_its_boundary_is_malformed(hangar, key, mark, refused, content_type):
    body = multipart(Form(hangar, key).signed() + [("file", mark)])
    refused(post(hangar, f"/{hangar.bucket}", body, content_type=content_type), 400, "MalformedPOSTRequest")


def mangled(fields, mark):
    parts = [part(name, value) for name, value in fields] + [part("file", mark, "hello.txt")]
    yield "parts without names", joined([one.replace(b'form-data; name="', b'form-data; x="') for one in parts])
    yield "parts without Content-Disposition", joined([one.replace(b"Content-Disposition", b"X-Disposition") for one in parts])
    yield "parts without headers", joined([b"\r\n" + one.split(b"\r\n\r\n", 1)[1] for one in parts])


MANGLED = [name for name, _ in mangled([], b"")]


@pytest.mark.parametrize("number", range(len(MANGLED)), ids=MANGLED)
def test_a_form_that_a_proxy_has_mangled_is_400_and_never_a_misleading_403(hangar, key, mark, refused, number):
    body = list(mangled(Form(hangar, key).signed(), mark))[number][1]
    refused(post(hangar, f"/{hangar.bucket}", body), 400, "MalformedPOSTRequest")


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_body_that_ends_before_its_length_leaves_nothing(hangar, s3, key, mark, size):
    before = hangar.blobs()
    form = Form(hangar, key)
    body = multipart(form.signed() + [("file", mark * (size // len(mark)))])
    head = (
        f"POST /{hangar.bucket} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    answer = hangar.exchange(head + body[: len(body) // 2], half_close=True)
    # The sender is gone with half of its connection: an answer is a courtesy, but never one of success.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=key)["KeyCount"] == 0
    assert_until_blobs_are(hangar, before)


def test_a_chunked_body_that_ends_early_leaves_nothing(hangar, s3, key, mark):
    before = hangar.blobs()
    body = multipart(Form(hangar, key).signed() + [("file", mark * 20_000)])
    half = body[: len(body) // 2]
    head = (
        f"POST /{hangar.bucket} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    answer = hangar.exchange(head + b"%x\r\n%s\r\n" % (len(half), half), half_close=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=key)["KeyCount"] == 0
    assert_until_blobs_are(hangar, before)


def assert_until_blobs_are(hangar, expected):
    """The sender is not told when its abandoned blob is unlinked, so this waits for it."""
    wait_until(lambda: hangar.blobs() == expected, hangar.process, lambda: f"blobs left behind: {hangar.blobs()}")


def test_after_a_refusal_the_connection_stays_usable(hangar, key, mark):
    """The answer is seen rather than a reset, though the file was not read to its end before it."""
    with requests.Session() as session:
        for _ in range(3):
            form = Form(hangar, key, expiration=iso(now() - HOUR))
            body = multipart(form.signed() + [("file", mark * 100)])
            answer = session.post(
                f"{hangar.url}/{hangar.bucket}",
                data=body,
                headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
                timeout=20,
            )
            assert Refusal(answer).code == "AccessDenied"


# Preflight


def test_a_browser_may_post_from_any_origin(hangar):
    answer = hangar.request(
        "OPTIONS",
        f"/{hangar.bucket}",
        headers={"Origin": "https://plane.example.com", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    allowed = {method.strip() for method in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert {"GET", "HEAD", "PUT", "POST", "DELETE"} <= allowed


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://a.example"}, {"Access-Control-Request-Method": "POST"}], ids=str)
def test_an_invalid_preflight_is_400(hangar, headers):
    assert hangar.request("OPTIONS", f"/{hangar.bucket}", headers=headers).status_code == 400


# `${filename}`

# Names as browsers and others write them in the part's head, and what they mean.
HOSTILE_NAMES = {
    "plain": ("me.png", "me.png"),
    "path": ("C:\\\\pictures\\\\me.png", "me.png"),
    "dots": ("../..", ".."),
    "beyond ASCII": ("żółw ☕.png", "żółw ☕.png"),
    "quotes": ('a\\"b;c.png', 'a"b;c.png'),
    "markup": ("<b>&amp;", "<b>&amp;"),
    "itself": ("${filename}", "${filename}"),
    "empty": ("", ""),
}


@pytest.mark.parametrize("sent, name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_filename_is_filled_in_once_and_escaped_for_where_it_stands(hangar, s3, key, sent, name):
    fields = {
        "x-amz-meta-name": "<${filename}>",
        "Content-Disposition": 'attachment; filename="${filename}"',
        "success_action_redirect": "https://plane.example.com/?name=${filename}&end=1",
        "x-amz-tagging": "name=x${filename}&end=1",
    }
    is_no_tag = any(character in name for character in '"&<;${☕')
    if is_no_tag:
        del fields["x-amz-tagging"]
    conditions = [{"bucket": hangar.bucket}, {"key": key}, {"Content-Type": "text/plain"}]
    conditions += [["starts-with", f"${field}", value.split("$")[0]] for field, value in fields.items()]
    form = Form(hangar, key, fields, conditions=conditions)
    answer = form.post(filename=sent)
    assert answer.status_code == 303, answer.text
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query, keep_blank_values=True)
    assert query["name"] == [name] and query["end"] == ["1"] and query["key"] == [key]
    found = stored(s3, form, b"hello")
    shown = str(email.header.make_header(email.header.decode_header(found["Metadata"]["name"])))
    assert shown == f"<{name}>"
    disposition = email.message.Message()
    disposition["Content-Disposition"] = found["ContentDisposition"]
    assert disposition.get_content_disposition() == "attachment"
    if name.isascii():
        assert disposition.get_filename("") == name
    if not is_no_tag:
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=form.bucket, Key=key)["TagSet"]}
        assert tags == {"name": f"x{name}", "end": "1"}


@pytest.mark.parametrize("name", ["a%0D%0AX-Evil: 1", "a\0b"])
@pytest.mark.parametrize("field", ["x-amz-meta-name", "Content-Disposition", "Cache-Control", "Content-Type", "Content-Language"])
def test_a_file_name_that_a_header_cannot_hold_is_refused_in_a_header_field(hangar, mark, key, refused, field, name):
    fields = {field: 'a/"${filename}"'}
    conditions = [{"bucket": hangar.bucket}, {"key": key}, ["starts-with", "$Content-Type", ""], ["starts-with", f"${field}", ""]]
    refused(Form(hangar, key, fields, conditions=conditions).post(mark, filename=name), 400, "InvalidArgument")


def test_a_file_name_with_line_ends_is_encoded_in_a_redirect(hangar, s3, key):
    conditions = [{"bucket": hangar.bucket}, {"key": key}, {"Content-Type": "text/plain"}]
    conditions.append(["starts-with", "$success_action_redirect", "https://plane.example.com/"])
    form = Form(hangar, key, {"success_action_redirect": "https://plane.example.com/${filename}"}, conditions=conditions)
    answer = form.post(filename="a%0D%0AX-Evil: 1")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("https://plane.example.com/a%0D%0AX-Evil%3A%201?bucket=")
    assert "X-Evil" not in answer.headers


def test_conditions_are_checked_on_every_field_after_filename_was_filled_in(hangar, mark, key, refused):
    fields = {"x-amz-meta-name": "${filename}"}
    covered = [{"bucket": hangar.bucket}, {"key": key}, {"Content-Type": "text/plain"}]
    literal = Form(hangar, key, fields, conditions=[*covered, {"x-amz-meta-name": "${filename}"}])
    refused(literal.post(mark, filename="me.png"), 403, "AccessDenied")
    exact = Form(hangar, key, fields, conditions=[*covered, {"x-amz-meta-name": "me.png"}])
    refused(exact.post(mark, filename="you.png"), 403, "AccessDenied")
    assert exact.post(b"hello", filename="me.png").status_code == 204


@pytest.mark.parametrize("name", ["policy", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-algorithm"])
def test_the_fields_that_prove_a_policy_are_never_filled_in(hangar, mark, key, refused, name):
    form = Form(hangar, key)
    value = dict(form.signed())[name]
    form.spoil(**{name.replace("-", "_"): "${filename}"})
    answer = form.post(mark, filename=value)
    refused(answer, answer.status_code, "InvalidArgument", "SignatureDoesNotMatch", "AccessDenied")
    assert answer.status_code in (400, 403)


def test_a_long_name_in_many_fields_stays_within_the_bound_of_a_form(hangar, mark, key, refused):
    fields = {f"x-amz-meta-{at}": "${filename}" * 50 for at in range(80)}
    conditions = [{"bucket": hangar.bucket}, {"key": key}, ["starts-with", "$Content-Type", ""]]
    conditions += [["starts-with", f"${name}", ""] for name in fields]
    form = Form(hangar, key, fields, conditions=conditions)
    refused(form.post(mark, filename="n" * 7000), 400, "MaxPostPreDataLengthExceeded")


# Text beyond ASCII


def test_metadata_beyond_ascii_comes_back_as_encoded_words(hangar, s3, key):
    texts = {
        "short": "ü",
        "mostly-ascii": "a straße, with = ? _ \t tab and  two spaces",
        "long": "日本語のメタデータ " * 30 + "end",
        "emoji": "👩‍👩‍👧 family",
    }
    form = Form(hangar, key, {f"x-amz-meta-{name}": text for name, text in texts.items()})
    assert form.post().status_code == 204
    s3.copy_object(Bucket=form.bucket, Key=f"{key}-copy", CopySource={"Bucket": form.bucket, "Key": key})
    for at in (key, f"{key}-copy"):
        found = s3.head_object(Bucket=form.bucket, Key=at)["Metadata"]
        for name, text in texts.items():
            assert found[name].isascii()
            assert all(len(word) <= 75 for word in found[name].split(" "))
            assert str(email.header.make_header(email.header.decode_header(found[name]))) == text


@pytest.mark.parametrize("value", ["GLACIER", "DEEP_ARCHIVE", "COLD"])
def test_a_class_that_clients_skip_is_refused(hangar, mark, key, refused, value):
    refused(Form(hangar, key, {"x-amz-storage-class": value}).post(mark), 400, "InvalidStorageClass")


def test_a_website_redirect_is_kept_with_the_object(hangar, s3, mark, key, refused):
    refused(Form(hangar, key, {"x-amz-website-redirect-location": "page"}).post(mark), 400, "InvalidRedirectLocation")
    form = Form(hangar, key, {"x-amz-website-redirect-location": "/other"})
    assert form.post().status_code == 204
    assert stored(s3, form, b"hello")["WebsiteRedirectLocation"] == "/other"
