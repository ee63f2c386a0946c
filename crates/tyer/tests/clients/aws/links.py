"""Presigned links of other services than S3, of the older signature, and one that has run out."""

import time
import urllib.error
import urllib.request

from said import client


def opened(what, link, look=""):
    try:
        with urllib.request.urlopen(link, timeout=60) as answer:
            body = answer.read().decode()
            print(what, answer.status, look if look in body else body)
    except urllib.error.HTTPError as error:
        print(what, error.code, error.read().decode())


opened("sts", client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET"), "GetCallerIdentityResult")
opened("iam", client("iam").generate_presigned_url("list_users", HttpMethod="GET"), "ListUsersResult")
store = {"Bucket": "files", "Key": "it"}
opened("version 2", client("s3", signature_version="s3").generate_presigned_url("get_object", Params=store))
late = client("s3", signature_version="s3v4").generate_presigned_url("get_object", Params=store, ExpiresIn=1)
time.sleep(2.5)
opened("late", late)
