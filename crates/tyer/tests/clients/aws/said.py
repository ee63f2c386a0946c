"""What a client of AWS was told, as lines of JSON that are the same each time it is told the same.

Ids that AWS makes up are numbered in the order in which they first come, dates and addresses become words.
"""

import datetime
import json
import os
import re
import socket
import sys

import boto3
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.exceptions import BotoCoreError, ClientError

REGION = "eu-west-1"

# Fields whose text differs each time and means nothing to whoever reads it.
OPAQUE = {
    "RequestId", "HostId", "MessageId", "x-amz-crc32", "x-amz-id-2", "x-amzn-requestid", "date", "server", "content-length", "connection",
    "ReceiptHandle", "NextToken", "nextToken", "Marker", "NextMarker", "UploadId", "LockToken", "SequenceNumber",
    "ShardIterator", "NextShardIterator", "LatestStreamLabel", "CiphertextBlob", "CiphertextForRecipient",
    "Plaintext", "KeyMaterial", "KeyFingerprint", "keyFingerprint", "Certificate", "certificatePem", "privateKey",
    "PublicKey", "SecretAccessKey", "SessionToken", "authorizationToken", "TemplateBody", "CallerReference",
    "nextSequenceToken", "uploadSequenceToken", "ingestionTime", "lastEventTimestamp", "firstEventTimestamp",
    "creationTime", "lastIngestionTime", "timestamp", "createdAt", "updatedAt", "lastUpdatedAt", "CodeSha256",
    "SyncToken", "eventId", "taskToken", "Signature", "Mac", "proxyEndpoint", "revisionId", "RevisionId",
    "lastModified", "lastUpdatedTimestamp", "UserId", "GroupId", "PolicyId", "RoleId", "AssumedRoleId",
    "id", "Id", "ApiId", "RouteId", "rootResourceId", "parentId", "deploymentId", "ApiEndpoint", "apiEndpoint", "createdTimestamp", "createTimestamp", "RoleLastUsed",
}
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# How a distribution of CloudFront says which of its settings these are.
TAG = re.compile(r"[A-Z0-9]{13,14}|" + UUID.pattern)
# What is made up anew, the particular before the general. A group is the part that is, where not all is.
MADE_UP = [(word, re.compile(pattern)) for word, pattern in (
    ("address", r"\b(?:127\.0\.0\.1|localhost):\d+"),
    ("uuid", r"(?<![0-9a-f])" + UUID.pattern + r"\b"),
    ("secret", r":secret:\S+?-([A-Za-z0-9]{6})\b"),
    ("number", r"ecs-svc/(\d+)"),
    ("pool", r"\beu-west-1_([0-9A-Za-z]+)"),
    ("letters", r"\b[oj]-([A-Za-z0-9]{10,13})\b"),
    ("operation", r"\b[a-z0-9]{32}-[a-z0-9]{8}\b"),
    ("hex", r"\b[a-z]{1,12}-([0-9a-f]{8,40})\b"),
    ("hex", r"\b[0-9a-f]{26,64}\b"),
    ("key", r"\bA[A-Z0-9]{15,20}\b"),
    ("hardware", r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"),
    ("moment", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("moment", r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b"),
    ("moment", r"\b1[789]\d{8}(?:\.\d+)?\b"),
    ("moment", r"\d{4}-\d\d-\d\d-\d\d-\d\d\b"),
    ("cluster", r"https://([A-Za-z0-9.]+)\.eu-west-1\.eks\.|\boidc\.eks\.eu-west-1\.amazonaws\.com/id/[A-Za-z0-9]+"),
    ("day", r"\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d"),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\bip-\d+-\d+-\d+-\d+\b|\bec2-\d+-\d+-\d+-\d+\b"),
    ("text", r"\b([a-z0-9]{12,14})(?=\.cloudfront\.net\b)"),
    ("text", r"\.([a-z0-9]{12})(?=\.[a-z0-9-]+\.redshift\.)"),
    ("text", r"\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{12,}\b"),
)]
# What says what came, to the letter, unless it is made up.
EXACT = re.compile(r"etag|checksum.*|x-amz-checksum.*|md5of.*|digest", re.IGNORECASE)
# Of what is made up, which one it is says nothing.
NUMBERLESS = {"address", "hardware", "moment", "day", "ip"}


class Scribe:
    """Writes down what is told."""

    def __init__(self):
        self.seen = {}

    def number(self, kind, text):
        """The same word for the same text, another one for another."""
        kinds = self.seen.setdefault(kind, {})
        return f"<{kind} {kinds.setdefault(text, len(kinds) + 1)}>"

    def plain(self, text):
        """`text` without what is made up anew each time."""
        for kind, pattern in MADE_UP:
            text = pattern.sub(lambda it: self.word(kind, it), text)
        return text

    def word(self, kind, found):
        """What stands for something found."""
        part = found[found.re.groups] or found[0]
        return found[0].replace(part, f"<{kind}>" if kind in NUMBERLESS else self.number(kind, part))

    def value(self, value):
        if isinstance(value, dict):
            return {self.identified(key): self.field(key, item) for key, item in sorted(value.items())}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        if isinstance(value, datetime.datetime):
            return "<moment>"
        if isinstance(value, (bytes, bytearray)):
            return f"{len(value)} bytes {self.plain(value[:200].decode('latin-1'))}"
        if isinstance(value, str):
            return self.plain(value)
        if isinstance(value, float):
            return float(value) if value < 1e9 else "<moment>"
        if value is None or isinstance(value, (bool, int)):
            return value
        return f"<{type(value).__name__}>"

    def identified(self, key):
        """A key of an object, which may be an id."""
        return self.number("uuid", key) if UUID.fullmatch(key) else key

    def field(self, key, value):
        if EXACT.fullmatch(key) and isinstance(value, str) and not TAG.fullmatch(value):
            return value
        if key in OPAQUE and isinstance(value, str):
            return self.number(key, value)
        if key in OPAQUE and not isinstance(value, (dict, list)):
            return f"<{key}>"
        if key == "HTTPHeaders":
            return {name: self.field(name, text) for name, text in sorted(value.items()) if tells(name)}
        return self.value(value)

    def say(self, what, told):
        print(json.dumps([self.plain(what), self.value(told)], ensure_ascii=False, sort_keys=True), flush=True)


def tells(header):
    """Whether a header is part of the answer, and not of the way that it came."""
    # The emulator gives back how the body was signed, which AWS does not.
    return header not in ("connection", "content-length", "date", "server", "transfer-encoding", "keep-alive",
                          "x-amz-content-sha256")


def resolving(resolve):
    """`resolve`, with all names below `localhost` on this machine, as browsers have them and not every system does."""

    def resolved(host, *more, **named):
        is_here = isinstance(host, str) and (host == "localhost" or host.endswith(".localhost"))
        return resolve("127.0.0.1" if is_here else host, *more, **named)

    return resolved


socket.getaddrinfo = resolving(socket.getaddrinfo)
SCRIBE = Scribe()


def client(service, region=REGION, **more):
    """A client that goes where `AWS_ENDPOINT_URL` says and tries once."""
    settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 60} | more
    return boto3.client(service, region_name=region, config=Config(**settings))


class Service:
    """A service whose answers are all written down."""

    def __init__(self, name, scribe=SCRIBE, **more):
        self.name, self.scribe, self.client = name, scribe, client(name, **more)

    def __call__(self, operation, **parameters):
        what = f"{self.name}:{operation}"
        try:
            came = getattr(self.client, operation)(**parameters)
        except ClientError as error:
            self.scribe.say(what, {"error": error.response})
            return error.response
        except BotoCoreError as error:
            self.scribe.say(what, {"error": f"{type(error).__name__}: {error}"})
            return {}
        for key, value in came.items():
            if hasattr(value, "read"):
                came[key] = value.read()
            elif isinstance(value, EventStream):
                came[key] = list(value)
        self.scribe.say(what, came)
        return came


if not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("HTTPS_PROXY")):
    sys.exit("neither AWS_ENDPOINT_URL nor HTTPS_PROXY is set: a client must not find AWS itself")
