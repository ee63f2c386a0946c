"""One service in both of its protocols that the emulator knows, and requests as programs make them that have no SDK."""

import datetime
import os
import urllib.error
import urllib.parse
import urllib.request

import botocore.model
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from said import REGION, SCRIBE, Service

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def speaks(protocol):
    """From now on, where it can be chosen."""
    rest = botocore.utils.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS
    botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = (protocol, *rest)


def figures(protocol):
    speaks(protocol)
    it = Service("cloudwatch")
    SCRIBE.say("speaks", it.client.meta.service_model.resolved_protocol)
    it("put_metric_data", Namespace=f"shop/{protocol}", MetricData=[
        {"MetricName": "sold", "Value": 1.5, "Unit": "Count", "Timestamp": MOMENT, "Dimensions": [
            {"Name": "in", "Value": "münchen & bern"}]},
        {"MetricName": "sold", "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}}])
    # Enough to be compressed on its way.
    it("put_metric_data", Namespace=f"shop/{protocol}", MetricData=[
        {"MetricName": f"many-{number}", "Value": float(number)} for number in range(500)])
    it("put_metric_alarm", AlarmName=f"quiet {protocol}", MetricName="sold", Namespace="shop", Period=60,
       EvaluationPeriods=1, Statistic="Sum", Threshold=0.5, ComparisonOperator="LessThanThreshold")
    it("describe_alarms", AlarmNames=[f"quiet {protocol}"])
    it("list_metrics", Namespace=f"shop/{protocol}", MetricName="sold")
    it("get_metric_statistics", Namespace="shop", MetricName="sold", StartTime=MOMENT, Period=60,
       EndTime=MOMENT + datetime.timedelta(hours=1), Statistics=["Sum"])
    it("get_dashboard", DashboardName="none")
    it("delete_alarms", AlarmNames=[f"quiet {protocol}"])


def signed(service, method, path="/", body=b"", headers=()):
    """What comes of a request that is signed here and means the same to every library."""
    request = AWSRequest(method, ENDPOINT + path, dict(headers), body)
    SigV4Auth(Session().get_credentials(), service, REGION).add_auth(request)
    plain = urllib.request.Request(request.url, body or None, dict(request.headers.items()), method=method)
    try:
        with urllib.request.urlopen(plain, timeout=60) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]


def by_hand():
    def form(**fields):
        return urllib.parse.urlencode(fields).encode()

    for what, body in (
        ("make", form(Action="CreateQueue", Version="2012-11-05", QueueName="older", **{
            "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7"})),
        ("find", form(Action="GetQueueUrl", Version="2012-11-05", QueueName="older")),
        ("list", form(Action="ListQueues", Version="2012-11-05")),
        ("miss", form(Action="GetQueueUrl", Version="2012-11-05", QueueName="none")),
    ):
        SCRIBE.say(f"sqs by query: {what}", signed("sqs", "POST", body=body, headers=FORM))
    SCRIBE.say("sts by GET", signed("sts", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15"))
    SCRIBE.say("ec2 by GET", signed("ec2", "GET", "/?Action=DescribeRegions&RegionName.1=eu-west-1&Version=2016-11-15"))


for spoken in ("json", "query"):
    figures(spoken)
by_hand()
