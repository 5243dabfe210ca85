"""S3's error documents, read strictly."""

import xml.etree.ElementTree as ElementTree


class Refusal:
    """An error of the S3 face: fails at once where its frame is not what every such answer must have."""

    def __init__(self, answer):
        assert answer.status_code >= 400, (answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "application/xml", answer.headers
        assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>'), answer.text
        root = ElementTree.fromstring(answer.content)
        assert root.tag == "Error", "an Error element without a namespace"
        self.elements = {child.tag: child.text or "" for child in root}
        assert {"Code", "Message", "Resource", "RequestId", "HostId"} <= set(self.elements), answer.text
        assert self.elements["RequestId"] == answer.headers["x-amz-request-id"]
        assert self.elements["HostId"] == answer.headers["x-amz-id-2"]
        self.status = answer.status_code
        self.code = self.elements["Code"]
        self.message = self.elements["Message"]

    def __repr__(self):
        return f"{self.status} {self.elements}"
