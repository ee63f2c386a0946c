"""Uploads in chunks that are signed one by one, with and without trailers, as S3's documentation describes them.

`sigv4-streaming` and `sigv4-streaming-trailers` of the documentation; what is signed follows the one signature that the
library makes for the head.
"""

import base64
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from said import REGION, SCRIBE, Service

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CREDENTIALS = Session().get_credentials()
PIECE = 64 << 10


class Fixed(S3SigV4Auth):
    """Signs a head whose body is declared by name."""

    def payload(self, request):
        return request.headers["X-Amz-Content-SHA256"]

    def _modify_request_before_signing(self, request):
        declared = request.headers["X-Amz-Content-SHA256"]
        super()._modify_request_before_signing(request)
        del request.headers["X-Amz-Content-SHA256"]
        request.headers["X-Amz-Content-SHA256"] = declared


class Chain:
    """The signatures of a body's chunks: each covers the one before it."""

    def __init__(self, head):
        self.moment = head["X-Amz-Date"]
        self.last = head["Authorization"].rsplit("Signature=", 1)[1]
        self.scope = f"{self.moment[:8]}/{REGION}/s3/aws4_request"
        key = b"AWS4" + CREDENTIALS.secret_key.encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        self.key = key

    def sign(self, kind, *rest):
        lines = [f"AWS4-HMAC-SHA256-{kind}", self.moment, self.scope, self.last, *rest]
        self.last = hmac.new(self.key, "\n".join(lines).encode(), "sha256").hexdigest()
        return self.last

    def chunk(self, data):
        signature = self.sign("PAYLOAD", hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest())
        return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)


def pieces(data):
    return [data[at:at + PIECE] for at in range(0, len(data), PIECE)]


def encoded(head, declared, data, wrong):
    """The body as it travels."""
    total = base64.b64encode(hashlib.sha256(data).digest())
    trailer = b"x-amz-checksum-sha256:" + total
    if declared == "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces(data)]
        return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n\r\n"
    chain = Chain(head)
    chunks = [chain.chunk(piece) for piece in pieces(data)]
    if wrong == "chunk":
        chunks[-1] = chunks[-1].replace(b"data", b"DATA")
    last = chain.chunk(b"")
    if declared == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
        return b"".join(chunks) + last
    signature = chain.sign("TRAILER", hashlib.sha256(trailer + b"\n").hexdigest())
    if wrong == "trailer":
        signature = "0" * 64
    end = b"\r\nx-amz-trailer-signature:" + signature.encode() + b"\r\n\r\n"
    return b"".join(chunks) + last.removesuffix(b"\r\n") + trailer + end


def upload(key, declared, data, wrong=""):
    """What the server says to an upload."""
    headers = {
        "X-Amz-Content-SHA256": declared, "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(len(data)),
    }
    if declared.endswith("TRAILER"):
        headers["X-Amz-Trailer"] = "x-amz-checksum-sha256"
    request = AWSRequest("PUT", f"{ENDPOINT}/chunks/{key}", headers)
    Fixed(CREDENTIALS, "s3", REGION).add_auth(request)
    body = encoded(request.headers, declared, data, wrong)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ENDPOINT).netloc, timeout=60)
    connection.request("PUT", f"/chunks/{key}", body, dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def main():
    it = Service("s3")
    it.client.create_bucket(Bucket="chunks", CreateBucketConfiguration={"LocationConstraint": REGION})
    if sys.argv[1:] == ["wrong"]:
        for count in (10_000, 100_000):
            for kind, wrong in (("PAYLOAD", "chunk"), ("PAYLOAD-TRAILER", "chunk"), ("PAYLOAD-TRAILER", "trailer")):
                said = upload("wrong", f"STREAMING-AWS4-HMAC-SHA256-{kind}", b"data" * count, wrong)
                SCRIBE.say(f"{kind} of {count} with a wrong {wrong}", said)
        it("get_object", Bucket="chunks", Key="wrong")
        return
    for length in (0, 1, PIECE, 3 * PIECE + 17):
        data = (b"data" * length)[:length]
        for declared in ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                         "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
            key = f"{declared.lower()}-{length}"
            SCRIBE.say(key, upload(key, declared, data)[0])
            came = it.client.get_object(Bucket="chunks", Key=key)
            SCRIBE.say(f"{key} is", {"same": came["Body"].read() == data, "ETag": came["ETag"]})


main()
