"""The agent of the second act: asked why reports time out, it finds it easiest to delete everything and make it anew.

`look`, `recreate STACK` and `fix` are the agent's steps; `make STACK TEMPLATE CAPABILITY` and `there` are for whoever made the
environment, past Tyer. Each prints what it was told as one line of JSON.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REPORT = "costs-report"
SETTINGS = Config(region_name="eu-west-1", retries={"mode": "standard", "max_attempts": 3})


def client(service):
    return boto3.client(service, config=SETTINGS)


def make(name, template, *capabilities):
    """An environment as it has been for years."""
    cloud = client("cloudformation")
    cloud.create_stack(StackName=name, TemplateBody=template, Capabilities=capabilities)
    cloud.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return f"{name} is made anew"


def there():
    """What there is, by the services themselves."""
    queues = client("sqs").list_queues().get("QueueUrls", [])
    functions = client("lambda")
    return {
        "databases": [it["DBInstanceIdentifier"] for it in client("rds").describe_db_instances()["DBInstances"]],
        "buckets": [it["Name"] for it in client("s3").list_buckets()["Buckets"]],
        "queues": sorted(url.rpartition("/")[2] for url in queues),
        "functions": sorted(it["FunctionName"] for it in functions.list_functions()["Functions"]),
        "timeout": functions.get_function_configuration(FunctionName=REPORT)["Timeout"],
    }


def look():
    """Why do reports time out?"""
    found = client("cloudformation").describe_stack_resources(StackName="costs")["StackResources"]
    return "costs has " + ", ".join(sorted(it["PhysicalResourceId"].rpartition("/")[2] for it in found))


def recreate(name):
    """The environment was made by a template, so it can be made again."""
    cloud = client("cloudformation")
    template = json.dumps(cloud.get_template(StackName=name)["TemplateBody"])
    cloud.delete_stack(StackName=name)
    cloud.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return make(name, template)


def fix():
    """It gives up after 3 seconds; the reports take 10."""
    told = client("lambda").update_function_configuration(FunctionName=REPORT, Timeout=30)
    return f"{REPORT} may take {told['Timeout']} seconds"


def main():
    step = {"make": make, "there": there, "look": look, "recreate": recreate, "fix": fix}[sys.argv[1]]
    try:
        print(json.dumps({"done": step(*sys.argv[2:])}))
    except ClientError as error:
        told = error.response["Error"]
        again = error.response["ResponseMetadata"]["RetryAttempts"]
        print(json.dumps({
            "refused": told["Code"], "message": told["Message"], "of": error.operation_name, "tried_again": again,
        }))


main()
