"""What SDKs make of several calls: paginators, waiters, retries, and the resource interface of boto3."""

import boto3
from said import REGION, SCRIBE, Service


def pages():
    it = Service("s3")
    it.client.create_bucket(Bucket="pages", CreateBucketConfiguration={"LocationConstraint": REGION})
    for number in range(23):
        it.client.put_object(Bucket="pages", Key=f"p/{number:03}", Body=b"x")
    found = it.client.get_paginator("list_objects_v2").paginate(Bucket="pages", PaginationConfig={"PageSize": 5})
    SCRIBE.say("s3 pages", [[item["Key"] for item in page["Contents"]] for page in found])
    found = it.client.get_paginator("list_object_versions").paginate(Bucket="pages", PaginationConfig={"PageSize": 7})
    SCRIBE.say("s3 versions", [len(page.get("Versions", [])) for page in found])
    it = Service("dynamodb").client
    it.create_table(TableName="pages", BillingMode="PAY_PER_REQUEST", KeySchema=[
        {"AttributeName": "id", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    for number in range(17):
        it.put_item(TableName="pages", Item={"id": {"S": f"{number:03}"}})
    found = it.get_paginator("scan").paginate(TableName="pages", PaginationConfig={"PageSize": 4})
    SCRIBE.say("dynamodb pages", [sorted(item["id"]["S"] for item in page["Items"]) for page in found])
    it = Service("iam").client
    for number in range(12):
        it.create_user(UserName=f"user-{number:02}")
    found = it.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 5})
    SCRIBE.say("iam pages", [[user["UserName"] for user in page["Users"]] for page in found])
    it = Service("ssm").client
    for number in range(12):
        it.put_parameter(Name=f"/pages/{number:02}", Value="x", Type="String")
    found = it.get_paginator("get_parameters_by_path").paginate(Path="/pages", PaginationConfig={"PageSize": 5})
    SCRIBE.say("ssm pages", [[item["Name"] for item in page["Parameters"]] for page in found])
    it = Service("ec2").client
    found = it.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 100, "MaxItems": 250})
    SCRIBE.say("ec2 pages", [len(page["InstanceTypes"]) for page in found])


def waits():
    def waited(service, name, **parameters):
        Service(service).client.get_waiter(name).wait(**parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
        SCRIBE.say(f"{service} waited", name)

    waited("s3", "bucket_exists", Bucket="pages")
    waited("s3", "object_exists", Bucket="pages", Key="p/001")
    waited("s3", "object_not_exists", Bucket="pages", Key="none")
    waited("dynamodb", "table_exists", TableName="pages")
    it = Service("ec2").client
    ran = it.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    waited("ec2", "instance_running", InstanceIds=[ran])
    it.terminate_instances(InstanceIds=[ran])
    waited("ec2", "instance_terminated", InstanceIds=[ran])
    it = Service("cloudformation").client
    it.create_stack(StackName="waits", TemplateBody='{"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}')
    waited("cloudformation", "stack_create_complete", StackName="waits")
    it.delete_stack(StackName="waits")
    waited("cloudformation", "stack_delete_complete", StackName="waits")
    it = Service("rds").client
    it.create_db_instance(DBInstanceIdentifier="waits", Engine="postgres", DBInstanceClass="db.t3.micro",
                          AllocatedStorage=20, MasterUsername="root", MasterUserPassword="password1")
    waited("rds", "db_instance_available", DBInstanceIdentifier="waits")


def resources():
    store = boto3.resource("s3", region_name=REGION)
    box = store.create_bucket(Bucket="boxes", CreateBucketConfiguration={"LocationConstraint": REGION})
    box.put_object(Key="a", Body=b"1")
    box.Object("b").put(Body=b"2")
    SCRIBE.say("s3 resource", [[item.key, item.size] for item in box.objects.all()])
    box.objects.all().delete()
    box.delete()
    SCRIBE.say("s3 buckets left", [item.name for item in store.buckets.all()])
    table = boto3.resource("dynamodb", region_name=REGION).Table("pages")
    with table.batch_writer() as batch:
        for number in range(30):
            batch.put_item(Item={"id": f"b{number:02}", "n": number})
    SCRIBE.say("dynamodb resource", [int(table.get_item(Key={"id": "b29"})["Item"]["n"]), table.key_schema])
    queue = boto3.resource("sqs", region_name=REGION).create_queue(QueueName="resource")
    queue.send_message(MessageBody="hello")
    SCRIBE.say("sqs resource", [message.body for message in queue.receive_messages()])


pages()
waits()
resources()
