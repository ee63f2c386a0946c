"""Services of the REST protocols: the operation in method and path, parameters in path, query, headers and body."""

import io
import json
import zipfile

from said import Service

ROLE = "arn:aws:iam::123456789012:role/worker"


def zipped(text):
    """A function's code; the same bytes each time."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.py"), text)
    return held.getvalue()


def functions():
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    Service("iam").client.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    it = Service("lambda")
    code = zipped("def handle(event, context): return event\n")
    it("create_function", FunctionName="resize", Runtime="python3.12", Role=ROLE, Handler="main.handle",
       Code={"ZipFile": code}, Timeout=3, Environment={"Variables": {"MODE": "fast & loose"}})
    it("get_function_configuration", FunctionName="resize")
    it("update_function_configuration", FunctionName="resize", Timeout=30)
    it("publish_version", FunctionName="resize")
    it("create_alias", FunctionName="resize", Name="live", FunctionVersion="1")
    it("get_alias", FunctionName="resize", Name="live")
    it("tag_resource", Resource="arn:aws:lambda:eu-west-1:123456789012:function:resize", Tags={"päck": "1/2?3=4&5"})
    it("list_tags", Resource="arn:aws:lambda:eu-west-1:123456789012:function:resize")
    it("invoke", FunctionName="resize", Payload=b'{"a": 1}', LogType="Tail")
    it("add_permission", FunctionName="resize", StatementId="s3", Action="lambda:InvokeFunction",
       Principal="s3.amazonaws.com")
    it("get_policy", FunctionName="resize")
    it("list_functions", MaxItems=5)
    it("untag_resource", Resource="arn:aws:lambda:eu-west-1:123456789012:function:resize", TagKeys=["päck", "b"])
    it("delete_function", FunctionName="resize")
    it("get_function", FunctionName="resize")


def interfaces():
    it = Service("apigateway")
    api = it("create_rest_api", name="shop", description="a & b")["id"]
    root = it.client.get_resources(restApiId=api)["items"][0]["id"]
    made = it("create_resource", restApiId=api, parentId=root, pathPart="{order+}")["id"]
    it("put_method", restApiId=api, resourceId=made, httpMethod="GET", authorizationType="NONE")
    it("put_integration", restApiId=api, resourceId=made, httpMethod="GET", type="MOCK")
    it("create_deployment", restApiId=api, stageName="live")
    it("update_stage", restApiId=api, stageName="live",
       patchOperations=[{"op": "replace", "path": "/description", "value": "now"}])
    it("delete_rest_api", restApiId=api)
    it = Service("apigatewayv2")
    api = it("create_api", Name="events", ProtocolType="HTTP")["ApiId"]
    it("create_route", ApiId=api, RouteKey="GET /orders")
    it("delete_api", ApiId=api)


def platforms():
    it = Service("eks")
    it("create_cluster", name="main", roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]})
    it("list_clusters")
    it("delete_cluster", name="main")
    it = Service("efs")
    disk = it("create_file_system", CreationToken="one", Encrypted=True)["FileSystemId"]
    it("put_lifecycle_configuration", FileSystemId=disk, LifecyclePolicies=[{"TransitionToIA": "AFTER_30_DAYS"}])
    it("describe_file_systems")
    it("delete_file_system", FileSystemId=disk)
    it = Service("batch")
    it("create_compute_environment", computeEnvironmentName="spare", type="UNMANAGED", serviceRole=ROLE)
    it("describe_compute_environments")
    it = Service("backup")
    it("create_backup_vault", BackupVaultName="cellar")
    it("list_backup_vaults")
    it("delete_backup_vault", BackupVaultName="cellar")
    it = Service("appconfig")
    app = it("create_application", Name="shop")["Id"]
    it("get_application", ApplicationId=app)
    it("delete_application", ApplicationId=app)
    it = Service("scheduler")
    it("create_schedule", Name="nightly", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
       Target={"Arn": "arn:aws:sqs:eu-west-1:123456789012:none", "RoleArn": ROLE})
    it("get_schedule", Name="nightly")
    it("delete_schedule", Name="nightly")
    it = Service("iot")
    it("create_thing", thingName="door")
    it("list_things")
    it = Service("iot-data")
    it("publish", topic="doors/1/open", qos=1, payload=b"\0now")
    it("update_thing_shadow", thingName="door", payload=json.dumps({"state": {"desired": {"open": True}}}))
    it("get_thing_shadow", thingName="door")
    it = Service("sesv2")
    it("create_email_identity", EmailIdentity="example.com")
    it("list_email_identities")
    it = Service("xray")
    it("put_trace_segments", TraceSegmentDocuments=[json.dumps({
        "id": "70de5b6f19ff9a0a", "name": "web", "start_time": 1, "end_time": 2,
        "trace_id": "1-581cf771-a006649127e371903a2de979"})])
    it = Service("opensearch")
    it("create_domain", DomainName="search")
    it("list_domain_names")
    it("delete_domain", DomainName="search")
    it = Service("guardduty")
    found = it("create_detector", Enable=True)["DetectorId"]
    it("delete_detector", DetectorId=found)
    it = Service("glacier")
    it("create_vault", vaultName="ice")
    it("list_vaults")
    it = Service("polly")
    it("describe_voices", LanguageCode="en-GB")
    it = Service("resource-groups")
    it("create_group", Name="mine", ResourceQuery={"Type": "TAG_FILTERS_1_0", "Query": json.dumps({
        "ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "a", "Values": ["b"]}]})})
    it("get_group", GroupName="mine")


def names():
    it = Service("route53")
    zone = it("create_hosted_zone", Name="example.com.", CallerReference="one")["HostedZone"]["Id"]
    it("change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Comment": "a < b & c", "Changes": [
        {"Action": "UPSERT", "ResourceRecordSet": {"Name": "www.example.com.", "Type": "A", "TTL": 60,
                                                   "ResourceRecords": [{"Value": "192.0.2.1"}]}}]})
    it("list_resource_record_sets", HostedZoneId=zone)
    it("list_hosted_zones", MaxItems="1")
    it("delete_hosted_zone", Id=zone)
    it("get_hosted_zone", Id="Z0000000000000000000")
    it = Service("cloudfront")
    made = it("create_distribution", DistributionConfig={
        "CallerReference": "one", "Comment": "front", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "example.com", "CustomOriginConfig": {
            "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "redirect-to-https", "MinTTL": 0,
                                 "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}}},
    })
    front = made["Distribution"]["Id"]
    it("get_distribution_config", Id=front)
    it("create_invalidation", DistributionId=front, InvalidationBatch={
        "CallerReference": "two", "Paths": {"Quantity": 1, "Items": ["/*"]}})
    it("list_distributions")
    it("delete_distribution", Id=front, IfMatch="wrong")
    it = Service("s3control")
    it("put_public_access_block", AccountId="123456789012", PublicAccessBlockConfiguration={
        "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True})
    it("get_public_access_block", AccountId="123456789012")
    it("delete_public_access_block", AccountId="123456789012")


for part in (functions, interfaces, platforms, names):
    part()
