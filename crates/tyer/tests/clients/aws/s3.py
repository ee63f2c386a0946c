"""S3, in the addressing style of the first argument (`path` or `virtual`): names, bodies, presigned URLs, streams."""

import hashlib
import io
import sys
import urllib.error
import urllib.request

from boto3.s3.transfer import TransferConfig
from said import SCRIBE, Service, tells

STYLE = sys.argv[1]
HERE = {"LocationConstraint": "eu-west-1"}
KEYS = ["plain.txt", "a/b/c", "with space", "plus+sign", "per%cent%20", "ünï/🛒", "a//b", "quo'te\"", "q?m#h&e=e;s", "dot/./s",
        "~tilde*()!", "tail/"]


def say(what, told):
    SCRIBE.say(f"s3:{what}", told)


def digest(data):
    return {"length": len(data), "digest": hashlib.sha256(data).hexdigest()}


def open_url(method, url, body=None, headers=()):
    """A request of a client that knows nothing of AWS."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = {name.lower(): text for name, text in answer.headers.items() if tells(name.lower())}
            body = answer.read()
            read = body.decode() if body.startswith(b"<?xml") else digest(body)
            return {"status": answer.status, "headers": {"HTTPHeaders": told}, "body": read}
    except urllib.error.HTTPError as error:
        return {"status": error.code}


def buckets(it):
    it("create_bucket", Bucket="shop-files", CreateBucketConfiguration=HERE)
    it("head_bucket", Bucket="shop-files")
    it("get_bucket_location", Bucket="shop-files")
    it("put_bucket_versioning", Bucket="shop-files", VersioningConfiguration={"Status": "Enabled"})
    it("get_bucket_versioning", Bucket="shop-files")
    it("put_bucket_tagging", Bucket="shop-files", Tagging={"TagSet": [{"Key": "a", "Value": "b & <c>"}]})
    it("get_bucket_tagging", Bucket="shop-files")
    it("put_bucket_lifecycle_configuration", Bucket="shop-files", LifecycleConfiguration={"Rules": [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}]})
    it("get_bucket_lifecycle_configuration", Bucket="shop-files")
    it("put_public_access_block", Bucket="shop-files", PublicAccessBlockConfiguration={
        "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True})
    it("get_public_access_block", Bucket="shop-files")
    it("get_bucket_policy", Bucket="shop-files")
    it("list_buckets")
    it("head_bucket", Bucket="no-such-bucket")


def objects(it):
    for key in KEYS:
        it("put_object", Bucket="shop-files", Key=key, Body=key.encode() * 3, ContentType="text/x-probe",
           Metadata={"origin": "probe", "spaces": "two  of them"}, Tagging="kind=test&empty=")
        it("get_object", Bucket="shop-files", Key=key)
        it("head_object", Bucket="shop-files", Key=key)
    if STYLE == "path":
        # The emulator takes it for a shorter name in a host.
        it("create_bucket", Bucket="dotted.name", CreateBucketConfiguration=HERE)
        it("put_object", Bucket="dotted.name", Key="k", Body=b"")
    it("get_object", Bucket="shop-files", Key="plain.txt", Range="bytes=2-5")
    it("get_object", Bucket="shop-files", Key="plain.txt", IfNoneMatch='"none"', ResponseContentType="text/other")
    it("get_object_tagging", Bucket="shop-files", Key="plain.txt")
    it("copy_object", Bucket="shop-files", Key="copied ü", CopySource={"Bucket": "shop-files", "Key": "ünï/🛒"})
    it("list_objects_v2", Bucket="shop-files", Prefix="a/", Delimiter="/", EncodingType="url")
    it("list_objects", Bucket="shop-files", MaxKeys=3, Marker="a")
    it("list_object_versions", Bucket="shop-files", Prefix="plain")
    it("get_object", Bucket="shop-files", Key="nothing here")
    it("delete_object", Bucket="shop-files", Key="copied ü")
    it("delete_objects", Bucket="shop-files", Delete={"Objects": [{"Key": key} for key in KEYS[:4]], "Quiet": False})
    it("select_object_content", Bucket="shop-files", Key="ünï/🛒", Expression="SELECT * FROM s3object",
       ExpressionType="SQL", InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}})


def checksums(it):
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        it("put_object", Bucket="shop-files", Key=f"sum-{algorithm}", Body=b"summed" * 100, ChecksumAlgorithm=algorithm)
        it("get_object", Bucket="shop-files", Key=f"sum-{algorithm}", ChecksumMode="ENABLED")
    it("put_object", Bucket="shop-files", Key="wrong", Body=b"wrong", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")


def bodies(it):
    body = bytes(range(256)) * 4096
    for key, data in (("file-like", io.BytesIO(body)), ("bytes", body)):
        it("put_object", Bucket="shop-files", Key=key, Body=data)
        say(f"body of {key}", digest(it.client.get_object(Bucket="shop-files", Key=key)["Body"].read()))
    made = it("create_multipart_upload", Bucket="shop-files", Key="parts/🧩", ContentType="x/parts")
    named = {"Bucket": "shop-files", "Key": "parts/🧩", "UploadId": made["UploadId"]}
    parts = [it.client.upload_part(**named, PartNumber=number, Body=body * 5 if number == 1 else body)
             for number in (1, 2)]
    it("list_parts", **named)
    it("complete_multipart_upload", **named, MultipartUpload={
        "Parts": [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(parts, 1)]})
    say("parts", digest(it.client.get_object(Bucket="shop-files", Key="parts/🧩")["Body"].read()))
    made = it.client.create_multipart_upload(Bucket="shop-files", Key="given up")
    it("list_multipart_uploads", Bucket="shop-files")
    it("abort_multipart_upload", Bucket="shop-files", Key="given up", UploadId=made["UploadId"])
    settings = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    it.client.upload_fileobj(io.BytesIO(body * 12), "shop-files", "transferred", Config=settings)
    held = io.BytesIO()
    it.client.download_fileobj("shop-files", "transferred", held, Config=settings)
    say("transferred", digest(held.getvalue()))


def presigned(it):
    named = {"Bucket": "shop-files", "Key": "presigned ü"}
    put = it.client.generate_presigned_url("put_object", Params=named, ExpiresIn=600)
    say("presigned put", open_url("PUT", put, b"by a link"))
    kinds = {"ContentType": "text/link", "Metadata": {"by": "link"}}
    put = it.client.generate_presigned_url("put_object", Params=named | kinds)
    say("presigned with headers", open_url("PUT", put, b"by a link", [
        ("Content-Type", "text/link"), ("x-amz-meta-by", "link")]))
    get = it.client.generate_presigned_url("get_object", Params=named | {"ResponseContentType": "text/as asked"})
    say("presigned get", open_url("GET", get))
    say("presigned part", open_url("GET", get, headers=[("Range", "bytes=3-6")]))
    head = it.client.generate_presigned_url("head_object", Params=named)
    say("presigned head", open_url("HEAD", head))
    say("presigned list", open_url("GET", it.client.generate_presigned_url("list_objects_v2", Params={
        "Bucket": "shop-files", "Prefix": "presigned", "MaxKeys": 1})))
    say("presigned delete", open_url("DELETE", it.client.generate_presigned_url("delete_object", Params=named)))


def main():
    it = Service("s3", s3={"addressing_style": STYLE}, signature_version="s3v4")
    buckets(it)
    objects(it)
    checksums(it)
    bodies(it)
    presigned(it)


main()
