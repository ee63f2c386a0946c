"""The AWS command line, as shells and pipelines call it: what it prints, what it complains of and how it ends."""

import json
import os
import pathlib
import sys
import tempfile
import urllib.request

from awscli.clidriver import main as aws_main
from said import SCRIBE

TEMPLATE = {"Resources": {
    "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "cli-jobs"}},
    "Files": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "cli-stack-files"}},
}}


def ran(words, given):
    """Runs the command in a process of its own, which begins with its modules loaded."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        child = os.fork()
        if child == 0:
            for at, file in enumerate((stdin, out, err)):
                os.dup2(file.fileno(), at)
            sys.argv = ["aws", *words]
            code = aws_main()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


def aws(line, given=b""):
    """Runs a line of words and writes down what it says; returns its standard output."""
    code, out, err = ran(line.split(), given)
    try:
        told = json.loads(out)
    except ValueError:
        # Transfers tell their progress, which is each time another.
        told = sorted(out.replace("\r", "\n").splitlines()[-20:])
        told = [text.split("?")[0].strip() for text in told if not text.startswith("Completed ")]
    SCRIBE.say(f"aws {line}", {"code": code, "out": told, "err": err})
    return out


def files(place):
    (place / "one.txt").write_text("one")
    (place / "deep").mkdir()
    (place / "deep" / "ü two.txt").write_text("two")
    (place / "large").write_bytes(b"0123456789abcdef" * (1 << 20))
    aws("s3 mb s3://cli-files")
    aws("s3 sync . s3://cli-files/all --no-progress")
    aws("s3 ls s3://cli-files/all/ --recursive")
    aws("s3 cp - s3://cli-files/piped", given=b"piped in")
    aws("s3 cp s3://cli-files/piped -")
    aws("s3 cp s3://cli-files/all/large large.back --no-progress")
    SCRIBE.say("large is", (place / "large.back").read_bytes() == (place / "large").read_bytes())
    aws("s3 mv s3://cli-files/piped s3://cli-files/moved")
    os.environ["AWS_CONFIG_FILE"] = str(place / "config")
    (place / "config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    link = aws("s3 presign s3://cli-files/moved --expires-in 60").strip()
    with urllib.request.urlopen(link, timeout=30) as answer:
        SCRIBE.say("the link gives", answer.read().decode())
    aws("s3api head-object --bucket cli-files --key moved")
    aws("s3api get-object --bucket cli-files --key none nowhere")
    aws("s3 rm s3://cli-files --recursive")
    aws("s3 rb s3://cli-files")


def stacks(place):
    (place / "stack.json").write_text(json.dumps(TEMPLATE))
    aws("cloudformation deploy --stack-name cli --template-file stack.json --no-fail-on-empty-changeset")
    aws("cloudformation describe-stack-resources --stack-name cli")
    aws("cloudformation delete-stack --stack-name cli")
    aws("cloudformation wait stack-delete-complete --stack-name cli")


def services():
    aws("sts get-caller-identity")
    aws("iam create-user --user-name cli")
    aws("iam list-users --query Users[].UserName --output text")
    aws("dynamodb create-table --table-name cli --billing-mode PAY_PER_REQUEST"
        " --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH")
    aws("dynamodb wait table-exists --table-name cli")
    aws('dynamodb put-item --table-name cli --item {"id":{"S":"one"}}')
    aws("dynamodb scan --table-name cli")
    # For this service the command line takes no address from the environment.
    there = f"--endpoint-url {os.environ['AWS_ENDPOINT_URL']}"
    aws(f"sqs create-queue --queue-name cli {there}")
    aws(f"sqs list-queues --output text {there}")
    aws("ec2 run-instances --image-id ami-12c6146b --count 1 --instance-type t3.micro")
    aws("ec2 describe-instances --query Reservations[].Instances[].[InstanceType,State.Name] --output text")
    aws("rds describe-db-instances --db-instance-identifier none")
    aws("secretsmanager create-secret --name cli --secret-string hidden")
    aws("secretsmanager get-secret-value --secret-id cli --query SecretString --output text")
    aws("route53 create-hosted-zone --name cli.example.com --caller-reference one")
    aws("logs create-log-group --log-group-name /cli")
    aws("logs describe-log-groups --max-items 1")
    aws('events put-rule --name cli --event-pattern {"source":["cli"]} --state DISABLED')
    aws("lambda list-functions --page-size 2")
    aws("kms create-key --description cli")


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    services()
    files(pathlib.Path(scratch))
    stacks(pathlib.Path(scratch))
