"""One call of boto3, with its own retries: `call.py SERVICE OPERATION PARAMETERS`, the parameters as JSON.

Prints what came as one line of JSON; of a refusal its code, its message and how often it was tried again.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError
from said import REGION


def main():
    service, operation, parameters = sys.argv[1:]
    client = boto3.client(service, region_name=REGION)
    try:
        told = getattr(client, operation)(**json.loads(parameters))
    except ClientError as error:
        sent = error.response["ResponseMetadata"]
        told = {
            "refused": error.response["Error"]["Code"], "message": error.response["Error"].get("Message", ""),
            "status": sent["HTTPStatusCode"], "tried_again": sent["RetryAttempts"],
        }
    print(json.dumps(told, default=str))


main()
