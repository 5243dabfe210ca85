"""Plane's asset API as its callers see it: users and their tokens, answers to the byte, and paths."""

import base64
import functools
import json
import re
import uuid

import requests

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
USER_ASSETS = "/api/v1/assets/user-assets/"
USER_ASSETS_V2 = "/api/assets/v2/user-assets/"

NOT_PROVIDED = '{"detail":"Authentication credentials were not provided."}'
NOT_VALID = '{"detail":"Given API token is not valid"}'
NO_PERMISSION = '{"detail":"You do not have permission to perform this action."}'
NO_RIGHTS = """{"error":"You don't have the required permissions."}"""
MAY_NOT_DELETE = '{"error":"You are not allowed to delete this attachment"}'
NO_PAGE = '{"error": "Page not found."}'
NO_ROW = '{"error":"The requested resource does not exist."}'
NO_ROW_V2 = '{"error":"The required object does not exist."}'
NO_BYTES = '{"error":"The requested asset could not be found."}'
NO_ASSET = '{"error":"Asset not found"}'
NO_OBJECT = '{"error":"The request body must be a JSON object.","status":false}'
BAD_ENTITY = '{"error":"Invalid entity type.","status":false}'
BAD_TYPE = '{"error":"Invalid file type. Only JPEG and PNG files are allowed.","status":false}'
BAD_TYPE_V2 = '{"error":"Invalid file type. Only JPEG, PNG, WebP, JPG and GIF files are allowed.","status":false}'
BAD_FILE_TYPE = '{"error":"Invalid file type.","status":false}'
BAD_SIZE = '{"error":"Size must be a positive whole number of bytes.","status":false}'
BAD_NAME = '{"error":"Name must not be longer than 255 bytes.","status":false}'
BAD_DETAIL = '{"error":"Please provide valid detail"}'
BAD_PAYLOAD = '{"error":"The payload is not valid"}'
NO_IDS = '{"error":"No asset ids provided."}'
NOT_ACCEPTABLE = '{"detail":"Could not satisfy the request Accept header."}'
TOO_LARGE = (
    '{"error": "REQUEST_BODY_TOO_LARGE", "detail": "The size of the request body exceeds the maximum allowed size."}'
)

PICTURE = {"name": "me.png", "type": "image/png", "size": 500}
IMAGE_TYPES = ["image/jpeg", "image/png", "image/webp", "image/jpg", "image/gif"]
ENTITY_TYPES = [
    "USER_AVATAR",
    "USER_COVER",
    "WORKSPACE_LOGO",
    "PROJECT_COVER",
    "ISSUE_ATTACHMENT",
    "ISSUE_DESCRIPTION",
    "COMMENT_DESCRIPTION",
    "PAGE_DESCRIPTION",
    "DRAFT_ISSUE_DESCRIPTION",
    "DRAFT_ISSUE_ATTACHMENT",
]


def new_id():
    return str(uuid.uuid4())


def other_method(method):
    """The text of a 405."""
    return "" if method == "HEAD" else f'{{"detail":"Method \\"{method}\\" not allowed."}}'


@functools.cache
def described_answers(hangar):
    """Of each path of the OpenAPI document: a pattern of it, and the statuses of each method."""
    document = hangar.request("GET", "/-/openapi.json").json()
    found = []
    for path, item in document["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        methods = {method.upper(): set(told["responses"]) for method, told in item.items() if method != "parameters"}
        found.append((re.compile(pattern), methods))
    return found


def be_described(hangar, method, path, status):
    """No answer to a method of a route is one that the document lacks."""
    path = path.split("?")[0]
    for pattern, methods in described_answers(hangar):
        if pattern.fullmatch(path) and method in methods:
            assert str(status) in methods[method], f"{method} {path} answered {status}, which /-/openapi.json does not tell"
            return


class Caller:
    """A user with a token; called like `hangar.request`."""

    def __init__(self, hangar, email, *arguments):
        self.hangar = hangar
        self.email = email
        self.token = hangar.make_token(email, *arguments)["token"]

    def __call__(self, method, path, headers=None, **how):
        answer = self.hangar.request(method, path, headers={"X-API-Key": self.token} | (headers or {}), **how)
        be_described(self.hangar, method, path, answer.status_code)
        return answer

    def ask(self, path, **fields):
        return self.hangar.ask(self.token, path, **fields)

    @property
    def id(self):
        return self("GET", "/api/v1/users/me/").json()["id"]

    def avatar(self):
        return self("GET", "/api/v1/users/me/").json()["avatar_url"]


class Workspace:
    """A workspace with a member of each role; `outsider` is a member of another."""

    def __init__(self, hangar, slug):
        self.hangar = hangar
        self.slug = slug
        self.v1 = f"/api/v1/workspaces/{slug}"
        self.v2 = f"/api/assets/v2/workspaces/{slug}"
        emails = {role: f"{role}@{slug}.example.com" for role in ("admin", "member", "guest")}
        members = [word for role, email in emails.items() for word in ("--member", f"{email}:{role}")]
        create(hangar, slug, *members)
        outside = f"outsider@{slug}.example.com"
        create(hangar, f"{slug}-next-door", "--member", f"{outside}:admin")
        self.admin, self.member, self.guest = (Caller(hangar, email) for email in emails.values())
        self.outsider = Caller(hangar, outside)
        self.next_door = f"{slug}-next-door"

    @property
    def id(self):
        """As keys have it."""
        return key_of(self.member.ask(f"{self.v2}/", entity_type="ISSUE_DESCRIPTION")).split("/")[0]

    def publish(self, project):
        """A fresh anchor."""
        made = self.hangar.command_line("anchor", "create", "--workspace", self.slug, "--project", project, "--json")
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)["anchor"]


def create(hangar, slug, *members):
    made = hangar.command_line("workspace", "create", slug, *members, "--json")
    assert made.returncode == 0, made.stderr


# What was asked for


def key_of(made):
    return made["upload_data"]["fields"]["key"]


def length_range(made):
    policy = json.loads(base64.b64decode(made["upload_data"]["fields"]["policy"]))
    return policy["conditions"][1]


def upload(made, content):
    data = made["upload_data"]
    answer = requests.post(data["url"], data=data["fields"], files={"file": ("x", content)}, timeout=20)
    assert answer.status_code == 204, answer.text
    return made


# What is answered


def assert_answer(answer, status, text):
    assert (answer.status_code, answer.text) == (status, text)
    if text:
        assert answer.headers["Content-Type"] == "application/json"
    assert_general_headers(answer)


def assert_done(answer):
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    assert_general_headers(answer)


def assert_general_headers(answer, referrer_policy="same-origin"):
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": referrer_policy,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "origin" in answer.headers["Vary"].lower()


def presigned(hangar, path, disposition):
    """What a presigned URL looks like; `path` and `disposition` are patterns of what stands there encoded."""
    return (
        rf"http://127\.0\.0\.1:{hangar.port}/uploads/{path}\?response-content-disposition={disposition}"
        rf"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={hangar.access_key}%2F\d{{8}}%2Fus-east-1%2Fs3%2Faws4_request"
        r"&X-Amz-Date=\d{8}T\d{6}Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=[0-9a-f]{64}"
    )


NAMED = "%3B%20filename%2A%3DUTF-8%27%27"
RANDOM = NAMED + "[0-9a-f]{32}"


def assert_redirect(hangar, answer, content, disposition):
    """A 302 to bytes that need no token; a token that the client sends there changes nothing."""
    assert (answer.status_code, answer.content) == (302, b""), answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers["Cache-Control"] == "no-store"
    assert_general_headers(answer, referrer_policy="no-referrer")
    location = answer.headers["Location"]
    assert re.fullmatch(presigned(hangar, "[^?]+", disposition), location), location
    for headers in ({}, {"X-API-Key": "x"}, {"Authorization": "Bearer x"}):
        fetched = requests.get(location, headers=headers, timeout=20)
        assert (fetched.status_code, fetched.content) == (200, content), fetched.text
