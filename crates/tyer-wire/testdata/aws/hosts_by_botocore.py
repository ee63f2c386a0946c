"""Writes hosts_by_botocore.tsv: the host at which botocore calls each operation that puts something before it, and one
other operation of each service, in other regions only where that does not follow the pattern. Nothing is sent. Run it with boto3 installed: python3 hosts_by_botocore.py > hosts_by_botocore.tsv"""

import os
import sys
from urllib.parse import urlsplit

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.devnull
import botocore  # noqa: E402
import botocore.session  # noqa: E402
from botocore import xform_name  # noqa: E402
from botocore.config import Config  # noqa: E402

# What stands for a label of the host.
LABELS = {"AccountId": "111122223333", "graphIdentifier": "g-0123456789", "RequestRoute": "route"}
REGIONS = ["us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1"]
CONFIG = Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"})


class Stopped(Exception):
    pass


def host(client, name):
    operation = client.meta.service_model.operation_model(name)
    members = operation.input_shape.members if operation.input_shape else {}
    arguments = {}
    for member, shape in members.items():
        place = shape.serialization.get("location")
        if member in LABELS:
            arguments[member] = LABELS[member]
        elif place == "uri" or (place and member in operation.input_shape.required_members):
            arguments[member] = {"string": "x", "integer": 1, "long": 1, "boolean": True, "list": [], "map": {}}.get(
                shape.type_name, "x")
    seen = []

    def stop(request, **_):
        seen.append(urlsplit(request.url).netloc)
        raise Stopped

    client.meta.events.register_first("before-send", stop)
    try:
        getattr(client, xform_name(name))(**arguments)
    except Stopped:
        return seen[0]
    except Exception as error:  # It is not called without more.
        print(client.meta.service_model.service_name, name, error, file=sys.stderr)
    finally:
        client.meta.events.unregister("before-send", stop)
    return None


def main():
    session = botocore.session.get_session()
    session.set_credentials("AKIATYERSESSION00001", "no-secret")
    print(f"# from botocore {botocore.__version__}: service, operation, region, host; by hosts_by_botocore.py")
    for service in session.get_available_services():
        for region in REGIONS:
            client = session.create_client(service, region_name=region, config=CONFIG)
            names = client.meta.service_model.operation_names
            endpoints = {name: client.meta.service_model.operation_model(name).endpoint or {} for name in names}
            prefixed = [name for name in names if endpoints[name].get("hostPrefix")]
            plain = [name for name in names if name not in prefixed][:1]
            for name in sorted(plain + (prefixed if region == "eu-west-1" else [])):
                found = host(client, name)
                model = client.meta.service_model
                usual = f"{model.endpoint_prefix}.{region}.amazonaws.com" + (".cn" if region[:2] == "cn" else "")
                if found and (region == "eu-west-1" or name in plain and found != usual):
                    print(service, name, region, found, sep="\t", flush=True)


main()
