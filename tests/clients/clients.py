"""boto3, set up to say at once what it was answered."""

import boto3
import botocore.config


def s3_client(server, access_key=None, secret_key=None, region="us-east-1", **config):
    """A client without retries, for the server's own keys unless others are named."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=access_key or server.access_key,
        aws_secret_access_key=secret_key or server.secret_key,
        region_name=region,
        verify=server.verify,
        config=botocore.config.Config(
            signature_version="s3v4",
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=32,
            **config,
        ),
    )


def presigned(hangar, s3, what, key):
    """The host and the target of a presigned request."""
    url = s3.generate_presigned_url(what, {"Bucket": hangar.bucket, "Key": key}, ExpiresIn=600)
    host, _, target = url.removeprefix("http://").partition("/")
    return host, f"/{target}"
