"""What Schemathesis does beside its calls: a policy that was asked for is used, so that what follows finds a file."""

import requests
import schemathesis


@schemathesis.hook
def after_call(context, case, response):
    if case.method != "POST" or response.status_code != 200:
        return
    policy = response.json().get("upload_data") if response.content else None
    if policy:
        # The smallest PNG file that hangar takes for one.
        picture = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55")
        requests.post(policy["url"], data=policy["fields"], files={"file": picture}, timeout=20)
