"""Services of the JSON protocols 1.0 and 1.1: the operation in a header, all else in the body."""

import json

from said import Service

ROLE = "arn:aws:iam::123456789012:role/worker"


def dynamodb():
    it = Service("dynamodb")
    it("create_table", TableName="carts", BillingMode="PAY_PER_REQUEST",
       AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "N"}],
       KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
       StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    it("describe_table", TableName="carts")
    for number in ("1", "2.5", "-3e10", "12345678901234567890.123456789"):
        it("put_item", TableName="carts", ReturnConsumedCapacity="TOTAL", Item={
            "id": {"S": "ünï 🛒 \"quoted\" \\"}, "at": {"N": number}, "raw": {"B": bytes(range(256))},
            "nested": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}, {"SS": ["a", "b"]}]}}},
        })
    key = {"id": {"S": "ünï 🛒 \"quoted\" \\"}, "at": {"N": "1"}}
    it("get_item", TableName="carts", Key=key, ConsistentRead=True)
    it("update_item", TableName="carts", Key=key, UpdateExpression="SET #a = :a", ReturnValues="ALL_NEW",
       ExpressionAttributeNames={"#a": "added"}, ExpressionAttributeValues={":a": {"N": "7"}})
    it("update_item", TableName="carts", Key=key, UpdateExpression="SET b = :b", ConditionExpression="added = :no",
       ExpressionAttributeValues={":b": {"S": "x"}, ":no": {"N": "0"}})
    it("query", TableName="carts", KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": key["id"]})
    it("transact_write_items", TransactItems=[
        {"Put": {"TableName": "carts", "Item": {"id": {"S": "t"}, "at": {"N": "9"}}}},
        {"Delete": {"TableName": "carts", "Key": key}},
    ])
    it("batch_write_item", RequestItems={"carts": [{"PutRequest": {"Item": {"id": {"S": f"b{i}"}, "at": {"N": "1"}}}}
                                                   for i in range(25)]})
    it("scan", TableName="carts", Limit=3)
    it("execute_statement", Statement="SELECT * FROM carts WHERE id = 't'")
    stream = it("list_tables")
    stream = it.client.describe_table(TableName="carts")["Table"]["LatestStreamArn"]
    it = Service("dynamodbstreams")
    it("describe_stream", StreamArn=stream)
    it = Service("dynamodb")
    it("delete_table", TableName="carts")
    it("describe_table", TableName="carts")


def sqs():
    it = Service("sqs")
    url = it("create_queue", QueueName="jobs", Attributes={"VisibilityTimeout": "0"}, tags={"a": "b"})["QueueUrl"]
    it("send_message", QueueUrl=url, MessageBody="<job> & ünï\n", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "k"}, "raw": {"DataType": "Binary", "BinaryValue": b"\0\1\2"}})
    it("send_message_batch", QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "m" * 1000} for i in range(10)])
    it("receive_message", QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=1)
    got = it.client.receive_message(QueueUrl=url)["Messages"]
    it("delete_message", QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    it("get_queue_url", QueueName="jobs")
    it("get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn", "VisibilityTimeout"])
    it("list_queues")
    it("purge_queue", QueueUrl=url)
    it("delete_queue", QueueUrl=url)
    it("get_queue_url", QueueName="jobs")


def secrets():
    it = Service("secretsmanager")
    it("create_secret", Name="db/password", SecretString="s3cr3t & \"more\"")
    it("get_secret_value", SecretId="db/password")
    it("put_secret_value", SecretId="db/password", SecretBinary=b"\0\xff")
    it("describe_secret", SecretId="db/password")
    it("list_secrets")
    it("delete_secret", SecretId="db/password", ForceDeleteWithoutRecovery=True)
    it = Service("ssm")
    it("put_parameter", Name="/shop/url", Value="https://example.com/?a=b", Type="String")
    it("put_parameter", Name="/shop/key", Value="hidden", Type="SecureString")
    it("get_parameter", Name="/shop/key", WithDecryption=True)
    it("get_parameters_by_path", Path="/shop", Recursive=True)
    it("describe_parameters")
    it("delete_parameter", Name="/shop/url")
    it = Service("kms")
    key = it("create_key", Description="mine")["KeyMetadata"]["KeyId"]
    it("create_alias", AliasName="alias/mine", TargetKeyId=key)
    locked = it("encrypt", KeyId="alias/mine", Plaintext=b"plain")["CiphertextBlob"]
    it("decrypt", CiphertextBlob=locked)
    it("enable_key_rotation", KeyId=key)
    it("get_key_rotation_status", KeyId=key)
    it("list_aliases")
    it("schedule_key_deletion", KeyId=key, PendingWindowInDays=7)


def watch():
    it = Service("logs")
    it("create_log_group", logGroupName="/shop/web")
    it("create_log_stream", logGroupName="/shop/web", logStreamName="one")
    it("put_retention_policy", logGroupName="/shop/web", retentionInDays=30)
    it("describe_log_groups")
    it("get_log_events", logGroupName="/shop/web", logStreamName="one")
    it("delete_log_group", logGroupName="/shop/web")
    it = Service("events")
    it("put_rule", Name="nightly", ScheduleExpression="rate(1 day)")
    it("put_targets", Rule="nightly", Targets=[{"Id": "one", "Arn": "arn:aws:sqs:eu-west-1:123456789012:none"}])
    it("list_rules")
    it("disable_rule", Name="nightly")
    it("put_events", Entries=[{"Source": "shop", "DetailType": "sold", "Detail": json.dumps({"a": 1})}])
    it("remove_targets", Rule="nightly", Ids=["one"])
    it("delete_rule", Name="nightly")
    it = Service("cloudtrail")
    Service("s3").client.create_bucket(Bucket="trails", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    it("create_trail", Name="all", S3BucketName="trails")
    it("start_logging", Name="all")
    it("get_trail_status", Name="all")
    it("stop_logging", Name="all")
    it("describe_trails")
    it = Service("config")
    it("put_configuration_recorder", ConfigurationRecorder={"name": "default", "roleARN": ROLE})
    it("describe_configuration_recorders")


def containers():
    it = Service("ecs")
    it("create_cluster", clusterName="web")
    it("register_task_definition", family="web", containerDefinitions=[
        {"name": "web", "image": "nginx", "memory": 128, "environment": [{"name": "A", "value": "b"}]}])
    it("create_service", cluster="web", serviceName="web", taskDefinition="web", desiredCount=2)
    it("update_service", cluster="web", service="web", desiredCount=0)
    it("describe_services", cluster="web", services=["web"])
    it("delete_service", cluster="web", service="web", force=True)
    it("list_clusters")
    it = Service("ecr")
    it("create_repository", repositoryName="shop/web")
    it("describe_repositories")
    it("get_authorization_token")
    it("delete_repository", repositoryName="shop/web", force=True)


def streams():
    it = Service("kinesis")
    it("create_stream", StreamName="clicks", ShardCount=1)
    it("put_record", StreamName="clicks", Data=b"\0\1\2click", PartitionKey="p")
    shard = it("list_shards", StreamName="clicks")["Shards"][0]["ShardId"]
    start = it("get_shard_iterator", StreamName="clicks", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    it("get_records", ShardIterator=start["ShardIterator"])
    it("delete_stream", StreamName="clicks")
    it = Service("firehose")
    it("create_delivery_stream", DeliveryStreamName="to-s3",
       ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::trails"})
    it("put_record", DeliveryStreamName="to-s3", Record={"Data": b"one\n"})
    it("list_delivery_streams")
    it = Service("stepfunctions")
    states = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}})
    machine = it("create_state_machine", name="flow", definition=states, roleArn=ROLE)["stateMachineArn"]
    it("start_execution", stateMachineArn=machine, name="first", input="{}")
    it("describe_state_machine", stateMachineArn=machine)
    it("list_executions", stateMachineArn=machine)
    it("delete_state_machine", stateMachineArn=machine)


def others():
    it = Service("cognito-idp")
    pool = it("create_user_pool", PoolName="shop")["UserPool"]["Id"]
    it("admin_create_user", UserPoolId=pool, Username="ann", TemporaryPassword="Passw0rd!")
    it("list_users", UserPoolId=pool)
    it("delete_user_pool", UserPoolId=pool)
    it = Service("acm")
    it("request_certificate", DomainName="example.com", SubjectAlternativeNames=["*.example.com"])
    it("list_certificates")
    it = Service("glue")
    it("create_database", DatabaseInput={"Name": "lake"})
    it("create_table", DatabaseName="lake", TableInput={"Name": "rows", "Parameters": {"a": "b"}})
    it("get_tables", DatabaseName="lake")
    it("delete_database", Name="lake")
    it = Service("athena")
    it("create_work_group", Name="people", Configuration={})
    it("list_work_groups")
    it = Service("wafv2")
    it("create_ip_set", Name="office", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["10.0.0.0/8"])
    it("list_ip_sets", Scope="REGIONAL")
    it = Service("organizations")
    it("create_organization", FeatureSet="ALL")
    it("list_accounts")
    it = Service("emr")
    it("run_job_flow", Name="jobs", Instances={"InstanceCount": 1, "MasterInstanceType": "m5.large"}, JobFlowRole="r",
       ServiceRole="s")
    it("list_clusters")
    it = Service("swf")
    it("register_domain", name="flows", workflowExecutionRetentionPeriodInDays="1")
    it("list_domains", registrationStatus="REGISTERED")
    it = Service("servicediscovery")
    it("create_http_namespace", Name="shop.local")
    it("list_namespaces")
    it = Service("transfer")
    it("create_server", Protocols=["SFTP"])
    it = Service("codebuild")
    it("list_projects")
    it = Service("resourcegroupstaggingapi")
    it("get_resources", TagFilters=[{"Key": "a"}])


for part in (dynamodb, sqs, secrets, watch, containers, streams, others):
    part()
