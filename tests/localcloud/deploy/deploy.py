"""Deploys infra/primary.yaml to the local cloud, and infra/recovery.yaml where it is asked for: the templates that go to
AWS, through CloudFormation, with the binaries of this checkout. Run by the Python of `.local/venv/ministack` (boto3, PyYAML and the SAM translator are there).

Invariant: never talks to anything but the given endpoints, and never reads the machine's AWS configuration.
"""

import argparse
import concurrent.futures
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile

import boto3
import botocore.config
import botocore.exceptions
from samtranslator.yaml_helper import yaml_parse

# Nothing is left behind in the checkout.
sys.dont_write_bytecode = True
import overlay

INFRA = pathlib.Path(__file__).resolve().parents[3] / "infra"
# Binary name -> logical id in primary.yaml.
FUNCTIONS = {
    "post-confirmation": "PostConfirmation",
    "post-authentication": "PostAuthentication",
    "custom-message": "CustomMessage",
    "admin-events": "AdminEvents",
    "replicator": "Replicator",
    "reconciler": "Reconciler",
}
MACHINES = ("ReconcileStateMachine",)
# The same of recovery.yaml.
RECOVERY_FUNCTIONS = {"importer": "Importer"}
RECOVERY_MACHINES = ("DrillStateMachine", "RestoreStateMachine")
# With nothing encrypted there is no replica of the key.
NO_KEY = "arn:aws:kms:{region}:111122223333:key/mrk-00000000000000000000000000000000"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True, help="URL that everything goes through (the gateway)")
    parser.add_argument("--ministack", help="the emulator's own URL; packages are uploaded there, past the gateway")
    parser.add_argument("--bin-dir", type=pathlib.Path, help="folder with the functions' binaries")
    parser.add_argument("--stack", default="twinpool")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--recovery-region", default="eu-west-1")
    parser.add_argument("--recovery-stack", metavar="NAME", help="deploy recovery.yaml, under this name, in that Region")
    parser.add_argument("--pools", help="user pool ids, separated by commas")
    parser.add_argument("--chain-post-confirmation", default="", metavar="ARN")
    parser.add_argument("--chain-post-authentication", default="", metavar="ARN")
    parser.add_argument("--chain-custom-message", default="", metavar="ARN")
    parser.add_argument("--own-roles", default="")
    parser.add_argument("--batching-window", type=int, default=1, metavar="SECONDS")
    parser.add_argument("--max-receive-count", type=int, default=10)
    parser.add_argument("--quota-share", type=int, default=50, metavar="PERCENT")
    parser.add_argument("--reconcile-schedule", metavar="EXPRESSION", help="overlay: without it the schedule is disabled")
    parser.add_argument("--visibility-timeout", type=int, metavar="SECONDS", help="overlay: shorter than the template's")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="overlay: for every function")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="a further one of primary.yaml")
    parser.add_argument("--out", type=pathlib.Path, help="where the JSON goes (else stdout)")
    parser.add_argument("--delete", action="store_true", help="delete the stack and the table that it retains")
    parser.add_argument("--keep-data", action="store_true", help="with --delete: as on AWS, the retained table stays")
    args = parser.parse_args()
    if not args.delete and (args.bin_dir is None or not args.pools):
        parser.error("--bin-dir and --pools are needed to deploy")
    for url in filter(None, (args.endpoint, args.ministack)):
        # A typing error must not send this at a real account.
        if urllib.parse.urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
            parser.error(f"{url} is not on this machine")
    return args


def client(service, endpoint, region):
    """A client with made-up credentials: profiles and variables of the machine are not read."""
    config = botocore.config.Config(
        connect_timeout=5, read_timeout=60, retries={"max_attempts": 2}, s3={"addressing_style": "path"}
    )
    return boto3.session.Session(
        aws_access_key_id="local", aws_secret_access_key="local", region_name=region
    ).client(service, endpoint_url=endpoint, config=config)


def package(binary):
    """A Lambda package. Stored rather than deflated: only this machine reads it."""
    with tempfile.TemporaryDirectory() as folder:
        bootstrap = pathlib.Path(folder) / "bootstrap"
        shutil.copyfile(binary, bootstrap)
        # Debug information is most of a debug binary, and the emulator unpacks the package at every cold start.
        # A script (a stand-in) or a machine without strip is fine too.
        if shutil.which("strip"):
            subprocess.run(["strip", "--strip-debug", bootstrap], check=False, stderr=subprocess.DEVNULL)
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o100755 << 16
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            file.writestr(entry, bootstrap.read_bytes())
        return archive.getvalue()


def upload(args, region, stack, template, functions, machines):
    """Does what `aws cloudformation package` does: uploads what the template names by a path, and names the copy."""
    store = client("s3", args.ministack or args.endpoint, region)
    bucket = f"{stack}-packages".lower()
    try:
        # us-east-1 is the one Region that refuses to be named.
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        store.create_bucket(Bucket=bucket, **location)
    except (store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
        pass
    # By its content, as that command does it: CloudFormation updates a function only when its code's address changes.
    def put(name, body):
        key = f"{hashlib.sha256(body).hexdigest()}/{name}"
        store.put_object(Bucket=bucket, Key=key, Body=body)
        return {"Bucket": bucket, "Key": key}

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        packages = pool.map(lambda name: put(f"{name}.zip", package(args.bin_dir / name)), functions)
        for logical, location in zip(functions.values(), packages):
            template["Resources"][logical]["Properties"]["CodeUri"] = location
    for logical in machines:
        machine = template["Resources"][logical]["Properties"]
        definition = json.loads((INFRA / machine["DefinitionUri"]).read_text())
        overlay.patch_state_machine(definition)
        machine["DefinitionUri"] = put(machine["DefinitionUri"], json.dumps(definition).encode())


def deploy(args):
    wanted = list(FUNCTIONS) + (list(RECOVERY_FUNCTIONS) if args.recovery_stack else [])
    missing = [name for name in wanted if not (args.bin_dir / name).is_file()]
    if missing:
        raise SystemExit(f"deploy: not in {args.bin_dir}: {', '.join(missing)} (make build)")
    template = yaml_parse((INFRA / "primary.yaml").read_text())
    upload(args, args.region, args.stack, template, FUNCTIONS, MACHINES)
    parameters = {
        "UserPoolIds": args.pools,
        "RecoveryRegion": args.recovery_region,
        "ChainPostConfirmation": args.chain_post_confirmation,
        "ChainPostAuthentication": args.chain_post_authentication,
        "ChainCustomMessage": args.chain_custom_message,
        "OwnRoles": args.own_roles,
        "ReplicatorBatchingWindowSeconds": str(args.batching_window),
        "MaxReceiveCount": str(args.max_receive_count),
        "QuotaSharePercent": str(args.quota_share),
        **dict(pair.split("=", 1) for pair in args.parameter),
    }
    if args.reconcile_schedule:
        overlay.schedule(template, args.reconcile_schedule)
    else:
        overlay.disable_schedule(template)
    overlay.patch_template(template, parameters, dict(pair.split("=", 1) for pair in args.env))
    outputs = put_stack(args, args.region, args.stack, template, parameters)
    functions = {name: outputs[f"{logical}Arn"] for name, logical in FUNCTIONS.items()}

    database = client("dynamodb", args.endpoint, args.region)
    recovery = client("dynamodb", args.endpoint, args.recovery_region)
    table = outputs["TableName"]
    # Whoever made a table that is brought along has set it up.
    if not parameters.get("ExistingTableArn"):
        overlay.replicate_table(database, recovery, table, args.recovery_region, template["Resources"]["Table"]["Properties"])
    if args.visibility_timeout is not None:
        overlay.redeliver_sooner(client("sqs", args.endpoint, args.region), outputs["QueueUrl"], args.visibility_timeout)

    compute = client("lambda", args.endpoint, args.region)
    await_functions(compute, functions)
    mapping = compute.list_event_source_mappings(FunctionName=functions["replicator"])["EventSourceMappings"][0]["UUID"]
    overlay.wait("the event source mapping", lambda: compute.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")
    recovered = deploy_recovery(args, table) if args.recovery_stack else {}
    return {
        "stack": args.stack,
        "queue_url": outputs["QueueUrl"],
        "dlq_url": outputs["DeadLetterQueueUrl"],
        "table": table,
        "regions": [args.region, args.recovery_region],
        "functions": functions,
        "event_source_mapping": mapping,
        "state_machine": outputs["ReconcileStateMachineArn"],
        **recovered,
    }


def deploy_recovery(args, table):
    """Deploys recovery.yaml, whose table and key are those that the primary stack has there."""
    region, stack = args.recovery_region, args.recovery_stack
    template = yaml_parse((INFRA / "recovery.yaml").read_text())
    upload(args, region, stack, template, RECOVERY_FUNCTIONS, RECOVERY_MACHINES)
    parameters = {
        "UserPoolIds": args.pools,
        "TableName": table,
        "KeyArn": NO_KEY.format(region=region),
        "QuotaSharePercent": str(args.quota_share),
    }
    outputs = put_stack(args, region, stack, template, parameters)
    await_functions(client("lambda", args.endpoint, region), {"importer": outputs["ImporterArn"]})
    return {"drill": outputs["DrillStateMachineArn"], "restore": outputs["RestoreStateMachineArn"]}


def await_functions(compute, functions):
    """Waits until every function can be invoked."""
    for name, arn in functions.items():
        overlay.wait(name, lambda: compute.get_function(FunctionName=arn)["Configuration"]["State"] == "Active")


def put_stack(args, region, stack, template, parameters):
    """Creates or updates a stack, waits, and returns its outputs; a failure names the resource and the reason."""
    stacks = client("cloudformation", args.endpoint, region)
    # Above 51,200 bytes a template is taken from a bucket only, here as on AWS. upload() has made the bucket.
    bucket, key = f"{stack}-packages".lower(), f"{time.time_ns()}/template.json"
    client("s3", args.ministack or args.endpoint, region).put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    url = f"https://s3.amazonaws.com/{bucket}/{key}"
    if "TemplateUrl" in template["Parameters"]:
        # As `make deploy-primary` does.
        parameters = {**parameters, "TemplateUrl": url}
    request = {
        "StackName": stack,
        "TemplateURL": url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    try:
        stacks.create_stack(**request)
    except stacks.exceptions.AlreadyExistsException:
        stacks.update_stack(**request)
    state = {}

    def settled():
        state.update(stacks.describe_stacks(StackName=stack)["Stacks"][0])
        return not state["StackStatus"].endswith("_IN_PROGRESS")

    overlay.wait("the stack", settled, seconds=60)
    if state["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        for event in reversed(stacks.describe_stack_events(StackName=stack)["StackEvents"]):
            if event["ResourceStatus"].endswith("_FAILED"):
                print(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}", file=sys.stderr)
        raise SystemExit(f"deploy: {stack}: {state['StackStatus']}: {state.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in state["Outputs"]}


def delete(args):
    """Deletes the stacks, and unless it is to be kept the table that the primary one retains on purpose."""
    if args.recovery_stack:
        delete_stack(args, args.recovery_region, args.recovery_stack)
    delete_stack(args, args.region, args.stack)
    if args.keep_data:
        return
    table = f"{args.stack}-backup"
    for region in (args.recovery_region, args.region):
        database = client("dynamodb", args.endpoint, region)
        try:
            database.update_table(TableName=table, DeletionProtectionEnabled=False)
            database.delete_table(TableName=table)
        except database.exceptions.ResourceNotFoundException:
            pass


def delete_stack(args, region, stack):
    """Deletes a stack, and waits until it is gone."""
    stacks = client("cloudformation", args.endpoint, region)
    stacks.delete_stack(StackName=stack)

    def gone():
        try:
            return stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
        except botocore.exceptions.ClientError:
            return True

    overlay.wait(f"deletion of {stack}", gone, seconds=60)


def main():
    args = arguments()
    started = time.monotonic()
    if args.delete:
        delete(args)
        print(f"deploy: {args.stack} deleted", file=sys.stderr)
        return
    result = json.dumps(deploy(args), indent=2)
    if args.out:
        args.out.write_text(result + "\n")
    else:
        print(result)
    print(f"deploy: {args.stack} is up after {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
