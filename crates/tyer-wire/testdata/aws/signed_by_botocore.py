"""Writes signed_by_botocore.json: requests as botocore signs them, none of which is sent. Run it with boto3 installed."""

import datetime
import json
import os
from unittest import mock

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
import boto3  # noqa: E402
import botocore.auth  # noqa: E402
import botocore.session  # noqa: E402
from botocore.awsrequest import AWSResponse  # noqa: E402
from botocore.config import Config  # noqa: E402

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIATYERSESSION00001", "botocore+signs/with-this-secret-000000000"
TOKEN = "a+session/token=="
KEPT = []
ONCE = Config(parameter_validation=False, retries={"total_max_attempts": 1})


def captured(name, request):
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    body = (body or b"") if not isinstance(body, str) else body.encode()
    scheme, rest = request.url.split("://", 1)
    host, _, target = rest.partition("/")
    path, _, query = ("/" + target).partition("?")
    if target.startswith("?"):
        path, query = "/", target[1:]
    headers = [[k.lower(), v.decode() if isinstance(v, bytes) else v] for k, v in request.headers.items()]
    if not any(k == "host" for k, _ in headers):
        headers.insert(0, ["host", host])
    KEPT.append({"name": name, "method": request.method, "path": path, "query": query,
                 "headers": headers, "body": body.decode("latin-1")})


def call(name, service, operation, arguments, token=None, endpoint="https://tyer.example", config=None, **more):
    client = boto3.client(service, region_name="eu-west-1", endpoint_url=endpoint, aws_access_key_id=KEY,
                          aws_secret_access_key=SECRET, aws_session_token=token,
                          config=(config or Config()).merge(ONCE), **more)

    def before_send(request, **_):
        captured(name, request)
        return AWSResponse(request.url, 200, {}, mock.Mock(stream=lambda *a, **k: [b"{}"], read=lambda *a: b""))

    client.meta.events.register_first("before-send", before_send)
    try:
        getattr(client, operation)(**arguments)
    except Exception:  # the answer means nothing
        pass


def presign(name, service, operation, arguments, method, token=None, version="s3v4", headers=()):
    client = boto3.client(service, region_name="eu-west-1", endpoint_url="https://tyer.example",
                          aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=token,
                          config=Config(signature_version=version, s3={"addressing_style": "path"}))
    url = client.generate_presigned_url(operation, Params=arguments, ExpiresIn=900)
    host, _, target = url.split("://", 1)[1].partition("/")
    path, _, query = ("/" + target).partition("?")
    KEPT.append({"name": name, "method": method, "path": path, "query": query,
                 "headers": [["host", host], *headers], "body": ""})


def main():
    path_style = Config(s3={"addressing_style": "path"})
    call("sts", "sts", "get_caller_identity", {})
    call("sts with a token", "sts", "get_caller_identity", {}, token=TOKEN)
    call("ec2", "ec2", "terminate_instances", {"InstanceIds": ["i-0123", "i-0456"], "DryRun": True})
    call("rds", "rds", "delete_db_instance", {"DBInstanceIdentifier": "a b+c/ü", "SkipFinalSnapshot": True})
    call("dynamodb", "dynamodb", "delete_table", {"TableName": "orders"}, token=TOKEN)
    call("sqs", "sqs", "send_message", {"QueueUrl": "https://tyer.example/1/q", "MessageBody": "ü & <b>"})
    call("kms", "kms", "schedule_key_deletion", {"KeyId": "arn:aws:kms:eu-west-1:1:key/2"})
    call("lambda by arn", "lambda", "get_function",
         {"FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:a"})
    call("lambda invoked", "lambda", "invoke", {"FunctionName": "a", "Payload": b"\x00\xff{}"})
    call("bedrock", "bedrock-runtime", "invoke_model",
         {"modelId": "arn:aws:bedrock:eu-west-1::foundation-model/a.b-v1:0", "body": b"{}"})
    call("route53", "route53", "list_resource_record_sets", {"HostedZoneId": "Z1", "StartRecordName": "a b.c"})
    call("cloudfront", "cloudfront", "list_distributions", {"MaxItems": "3"})
    call("cloudwatch", "cloudwatch", "delete_alarms", {"AlarmNames": ["a", "b"]})
    call("iot with slashes", "iot", "get_policy", {"policyName": "a/b c"})
    call("apigateway", "apigateway", "get_resources", {"restApiId": "a", "embed": ["methods", "x y"]})
    call("lex, body not signed", "lexv2-runtime", "recognize_utterance",
         {"botId": "b", "botAliasId": "a", "localeId": "en_US", "sessionId": "1",
          "requestContentType": "text/plain; charset=utf-8", "inputStream": b"hi"})
    for name, key in [("plain", "a.txt"), ("odd", "a b+c~é//x/../y.txt"), ("percent", "100%25=&?#.txt"),
                      ("dots", "./a/./b")]:
        call(f"s3 get {name}", "s3", "get_object", {"Bucket": "b", "Key": key}, config=path_style)
    call("s3 list", "s3", "list_objects_v2", {"Bucket": "b", "Prefix": "p/ q+&=%", "Delimiter": "/"},
         config=path_style, token=TOKEN)
    call("s3 policy", "s3", "delete_bucket_policy", {"Bucket": "b"}, config=path_style)
    call("s3 delete many", "s3", "delete_objects",
         {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}}, config=path_style)
    call("s3 put, in the clear", "s3", "put_object",
         {"Bucket": "b", "Key": "k", "Body": b"x" * 1000, "Metadata": {"a": "b  c"}},
         endpoint="http://tyer.example:8080", config=path_style)
    call("s3 put, trailer", "s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b"x" * 1000}, config=path_style)
    call("s3 put, trailer and coding", "s3", "put_object",
         {"Bucket": "b", "Key": "k", "Body": b"y" * 10, "ContentEncoding": "gzip", "ChecksumAlgorithm": "SHA256"},
         config=path_style, token=TOKEN)
    call("s3 put, nothing", "s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b""}, config=path_style)
    call("s3 virtual host", "s3", "get_object", {"Bucket": "bucket", "Key": "a/b"},
         config=Config(s3={"addressing_style": "virtual"}))
    call("s3control", "s3control", "get_public_access_block", {"AccountId": "123456789012"})
    call("outposts", "s3outposts", "list_endpoints", {})
    presign("s3 presigned get", "s3", "get_object", {"Bucket": "b", "Key": "a b+c~é//x.txt"}, "GET")
    presign("s3 presigned put", "s3", "put_object", {"Bucket": "b", "Key": "k"}, "PUT", token=TOKEN)
    presign("s3 presigned with headers", "s3", "put_object",
            {"Bucket": "b", "Key": "k", "Metadata": {"a": "b"}, "ACL": "private"}, "PUT",
            headers=[["x-amz-acl", "private"], ["x-amz-meta-a", "b"]])
    presign("sts presigned", "sts", "get_caller_identity", {}, "POST", version="v4")
    presign("s3 presigned version 2", "s3", "get_object", {"Bucket": "b", "Key": "k"}, "GET", version="s3")
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "signed_by_botocore.json")
    with open(where, "w", encoding="utf-8") as out:
        json.dump({"botocore": botocore.__version__, "now": "20260304T050607Z", "key": KEY, "secret": SECRET,
                   "token": TOKEN, "requests": KEPT}, out, indent=1, ensure_ascii=True)
        out.write("\n")


now = mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW.replace(tzinfo=None))
with now, mock.patch("uuid.uuid4", lambda: "00000000-0000-4000-8000-000000000000"):
    main()
