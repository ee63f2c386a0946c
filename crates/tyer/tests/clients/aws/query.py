"""Services of the query protocols: names of parameters with dots and numbers, answers in XML."""

import json

from said import Service

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})
READS = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}],
})


def sts():
    it = Service("sts")
    it("get_caller_identity")
    it("assume_role", RoleArn="arn:aws:iam::123456789012:role/none", RoleSessionName="probe")
    it("get_session_token", DurationSeconds=900)


def iam():
    it = Service("iam")
    it("create_role", RoleName="worker", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "päckchen & co"}])
    it("get_role", RoleName="worker")
    it("put_role_policy", RoleName="worker", PolicyName="reads", PolicyDocument=READS)
    it("get_role_policy", RoleName="worker", PolicyName="reads")
    it("list_role_policies", RoleName="worker")
    policy = it("create_policy", PolicyName="reads", PolicyDocument=READS)["Policy"]["Arn"]
    it("attach_role_policy", RoleName="worker", PolicyArn=policy)
    it("list_attached_role_policies", RoleName="worker")
    it("create_user", UserName="ann")
    it("create_group", GroupName="people")
    it("add_user_to_group", GroupName="people", UserName="ann")
    it("list_groups_for_user", UserName="ann")
    it("create_access_key", UserName="ann")
    it("list_access_keys", UserName="ann")
    it("list_users")
    it("get_user", UserName="nobody")
    it("detach_role_policy", RoleName="worker", PolicyArn=policy)
    it("delete_policy", PolicyArn=policy)


def sns():
    it = Service("sns")
    topic = it("create_topic", Name="news", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    it("set_topic_attributes", TopicArn=topic, AttributeName="DisplayName", AttributeValue="News – ünïcode")
    it("get_topic_attributes", TopicArn=topic)
    it("subscribe", TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:none")
    it("list_subscriptions_by_topic", TopicArn=topic)
    it("publish", TopicArn=topic, Message="a=b&c=d +%20", Subject="hello", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "test"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
    })
    it("publish_batch", TopicArn=topic, PublishBatchRequestEntries=[
        {"Id": "one", "Message": "1"}, {"Id": "two", "Message": "2"},
    ])
    it("list_topics")
    it("delete_topic", TopicArn=topic)


def ec2():
    it = Service("ec2")
    it("describe_regions", RegionNames=["eu-west-1", "us-east-1"])
    vpc = it("create_vpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    it("create_tags", Resources=[vpc], Tags=[{"Key": "Name", "Value": "main & <only>"}])
    net = it("create_subnet", VpcId=vpc, CidrBlock="10.1.1.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]
    group = it("create_security_group", GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    it("authorize_security_group_ingress", GroupId=group, IpPermissions=[{
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.168.0.0/16", "Description": "office"}],
    }])
    it("describe_security_groups", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ran = it("run_instances", ImageId="ami-12c6146b", MinCount=2, MaxCount=2, SubnetId=net, InstanceType="t3.micro",
             UserData="#!/bin/sh\necho hello", TagSpecifications=[
                 {"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "web"}]}])
    ids = [instance["InstanceId"] for instance in ran["Instances"]]
    it("describe_instances", InstanceIds=ids)
    it("describe_instance_status", InstanceIds=ids, IncludeAllInstances=True)
    it("stop_instances", InstanceIds=ids[:1])
    it("modify_instance_attribute", InstanceId=ids[0], DisableApiTermination={"Value": True})
    it("describe_instance_attribute", InstanceId=ids[0], Attribute="disableApiTermination")
    it("terminate_instances", InstanceIds=ids[1:])
    disk = it("create_volume", Size=8, AvailabilityZone="eu-west-1a", VolumeType="gp3")["VolumeId"]
    it("create_snapshot", VolumeId=disk, Description="before")
    it("describe_volumes", VolumeIds=[disk])
    it("delete_volume", VolumeId=disk)
    it("create_key_pair", KeyName="mine")
    it("describe_vpcs", VpcIds=[vpc], DryRun=False)
    it("describe_instances", InstanceIds=["i-0123456789abcdef0"])


def rds():
    it = Service("rds")
    it("create_db_instance", DBInstanceIdentifier="books", Engine="postgres", DBInstanceClass="db.t3.micro",
       AllocatedStorage=20, MasterUsername="root", MasterUserPassword="pass & word=1", DeletionProtection=True)
    it("describe_db_instances", DBInstanceIdentifier="books")
    it("create_db_snapshot", DBSnapshotIdentifier="books-1", DBInstanceIdentifier="books")
    it("describe_db_snapshots", DBInstanceIdentifier="books")
    it("delete_db_instance", DBInstanceIdentifier="books", SkipFinalSnapshot=True)
    it("modify_db_instance", DBInstanceIdentifier="books", DeletionProtection=False, BackupRetentionPeriod=3)
    it("add_tags_to_resource", ResourceName="arn:aws:rds:eu-west-1:123456789012:db:books",
       Tags=[{"Key": "a", "Value": "b"}])
    it("list_tags_for_resource", ResourceName="arn:aws:rds:eu-west-1:123456789012:db:books")
    it("delete_db_instance", DBInstanceIdentifier="books", SkipFinalSnapshot=True)


def elb():
    ec2 = Service("ec2").client
    nets = [net["SubnetId"] for net in ec2.describe_subnets()["Subnets"]][:2]
    it = Service("elbv2")
    made = it("create_load_balancer", Name="front", Subnets=nets, Scheme="internal", Type="application")
    front = made["LoadBalancers"][0]["LoadBalancerArn"]
    made = it("create_target_group", Name="web", Protocol="HTTP", Port=80,
              VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
    group = made["TargetGroups"][0]["TargetGroupArn"]
    it("create_listener", LoadBalancerArn=front, Protocol="HTTP", Port=80,
       DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    it("describe_listeners", LoadBalancerArn=front)
    it("modify_load_balancer_attributes", LoadBalancerArn=front,
       Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}])
    it("describe_load_balancers")
    it("delete_load_balancer", LoadBalancerArn=front)


def autoscaling():
    it = Service("autoscaling")
    it("create_launch_configuration", LaunchConfigurationName="small", ImageId="ami-12c6146b", InstanceType="t3.micro")
    it("create_auto_scaling_group", AutoScalingGroupName="web", LaunchConfigurationName="small", MinSize=0, MaxSize=2,
       DesiredCapacity=0, AvailabilityZones=["eu-west-1a"])
    it("describe_auto_scaling_groups", AutoScalingGroupNames=["web"])
    it("update_auto_scaling_group", AutoScalingGroupName="web", MaxSize=3)
    it("delete_auto_scaling_group", AutoScalingGroupName="web", ForceDelete=True)


def cloudformation():
    it = Service("cloudformation")
    template = json.dumps({
        "Resources": {
            "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stack-jobs"}},
            "News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "stack-news"}},
        },
        "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}},
    })
    it("validate_template", TemplateBody=template)
    it("create_stack", StackName="shop", TemplateBody=template, Tags=[{"Key": "a", "Value": "b"}])
    it("describe_stacks", StackName="shop")
    it("list_stack_resources", StackName="shop")
    it("get_template", StackName="shop")
    it("create_change_set", StackName="shop", ChangeSetName="none", TemplateBody=template, ChangeSetType="UPDATE")
    it("describe_change_set", StackName="shop", ChangeSetName="none")
    it("delete_stack", StackName="shop")
    it("describe_stacks", StackName="shop")


def others():
    it = Service("ses")
    it("verify_email_identity", EmailAddress="a@example.com")
    it("send_email", Source="a@example.com", Destination={"ToAddresses": ["b@example.com"]},
       Message={"Subject": {"Data": "hi"}, "Body": {"Text": {"Data": "line\nline + & ="}}})
    it("list_identities")
    it = Service("redshift")
    it("create_cluster", ClusterIdentifier="figures", NodeType="ra3.large", MasterUsername="root",
       MasterUserPassword="Password1", ClusterType="single-node")
    it("describe_clusters", ClusterIdentifier="figures")
    it("delete_cluster", ClusterIdentifier="figures", FinalClusterSnapshotIdentifier="last")
    it = Service("elasticache")
    it("create_cache_cluster", CacheClusterId="hot", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1)
    it("describe_cache_clusters")
    it = Service("elb")
    it("create_load_balancer", LoadBalancerName="old", AvailabilityZones=["eu-west-1a"], Listeners=[
        {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}])
    it("describe_load_balancers")
    it("delete_load_balancer", LoadBalancerName="old")


for part in (sts, iam, sns, ec2, rds, elb, autoscaling, cloudformation, others):
    part()
