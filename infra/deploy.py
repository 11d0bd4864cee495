"""Deploys a template of this folder with the AWS CLI: `deploy.py TEMPLATE --bucket BUCKET [...]`.

Packages are checked and uploaded, a change set is made and shown, somebody agrees, it is executed, and the outputs are printed
with the next step. The Makefile's deploy-... targets give the options as environment variables.
Invariant: nothing in the account but objects of the bucket changes before the change set was shown and agreed to; what holds
data, or what sign-ins need, is replaced or removed only with --allow-replacement.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import zipfile

# Nothing is left behind in the checkout.
sys.dont_write_bytecode = True
import change_set
from change_set import Refused
from package import SUMS, Unfit, architecture_of, sha256

INFRA = pathlib.Path(__file__).resolve().parent
STACKS = {
    "primary.yaml": "twinpool",
    "recovery-key.yaml": "twinpool-recovery-key",
    "recovery.yaml": "twinpool-recovery",
}
# IAM roles without names of their own, and the SAM transform.
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
# CloudFormation itself ends an operation sooner or later; this only ends the looking on.
LOOKS_ON_FOR = 2 * 3600


def agrees(name):
    """Whether a variable of the environment says yes."""
    return os.environ.get(name, "").lower() not in ("", "0", "no", "false")


def arguments():
    given = os.environ.get
    parser = argparse.ArgumentParser(description="Deploy a template, and show the change set first.")
    parser.add_argument("template", type=pathlib.Path, help="a template; a bare name is one of infra/")
    parser.add_argument("--stack", default=given("STACK"), help="[default: by the template]")
    parser.add_argument("--bucket", default=given("BUCKET"), help="bucket for packages, in the stack's Region")
    parser.add_argument("--region", default=given("REGION"), help="[default: the AWS CLI's]")
    parser.add_argument("--parameters", default=given("PARAMETERS", ""), help='"Key=Value ..."; what is not named keeps its value')
    parser.add_argument("--yes", action="store_true", default=agrees("YES"), help="do not ask")
    parser.add_argument("--allow-replacement", action="store_true", default=agrees("ALLOW_REPLACEMENT"),
                        help="also when a table, replica, key, queue or trigger is replaced or removed")
    parser.add_argument("--aws", default=given("AWS_CLI"), help="the AWS CLI [default: tests/localcloud/python/ensure tools]")
    parser.add_argument("--output", type=pathlib.Path, default=INFRA.parent / "target/package",
                        help="folder for the packaged template")
    parser.add_argument("--poll", type=float, default=5, metavar="SECONDS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.template.name == str(args.template):
        args.template = INFRA / args.template
    args.stack = args.stack or STACKS.get(args.template.name)
    if not args.stack or not args.bucket:
        parser.error("STACK=... and BUCKET=... are needed; the bucket is in the stack's Region")
    return args


class Aws:
    """The AWS CLI. What it refuses ends the deployment with its own words."""

    def __init__(self, args):
        self.program = args.aws or self.private()
        # No pager and no questions; a Region named here is every call's.
        self.environment = {**os.environ, "AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off"}
        self.region = args.region or self.configured_region()
        self.environment["AWS_REGION"] = self.environment["AWS_DEFAULT_REGION"] = self.region

    @staticmethod
    def private():
        ensure = INFRA.parent / "tests/localcloud/python/ensure"
        done = subprocess.run([ensure, "tools", "--path"], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Refused("the AWS CLI could not be installed; AWS_CLI=aws takes your own")
        return str(pathlib.Path(done.stdout.strip()) / "bin/aws")

    def configured_region(self):
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        region = region or self.run("configure", "get", "region")[1].strip()
        if not region:
            raise Refused("which Region? REGION=... says it")
        return region

    def run(self, *words):
        try:
            done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True)
        except OSError as why:
            raise Refused(f"{self.program}: {why.strerror}") from why
        return done.returncode, done.stdout, done.stderr.strip()

    def __call__(self, *words):
        status, out, problem = self.run(*words)
        if status != 0:
            raise Refused(f"aws {' '.join(words[:2])}: {problem or f'status {status}'}")
        return out

    def json(self, service, operation, **request):
        # As JSON: the CLI would fetch a value that is a URL, and take one that begins with file:// for a file.
        answer = self(service, operation, "--output", "json", "--cli-input-json", json.dumps(request))
        return json.loads(answer) if answer.strip() else {}

    def stack(self, name):
        """DescribeStacks' entry, or `None`."""
        words = ("cloudformation", "describe-stacks", "--output", "json", "--stack-name", name)
        status, out, problem = self.run(*words)
        if status != 0 and "does not exist" in problem:
            return None
        if status != 0:
            raise Refused(f"aws cloudformation describe-stacks: {problem}")
        return json.loads(out)["Stacks"][0]

    def address(self, bucket, key):
        """Where CloudFormation finds an object: a path-style URL of the stack's Region, as `aws cloudformation deploy` gives it."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"{endpoint or f'https://s3.{self.region}.{suffix}'}/{bucket}/{key}"


def check_packages(template):
    """The one architecture of the packages that the template names (`None` = it names none). They have to be as they were made."""
    paths = re.findall(r"^\s*CodeUri:\s*(\S+\.zip)\s*$", template.read_text(encoding="utf-8"), re.MULTILINE)
    found = set()
    for path in ((template.parent / path).resolve() for path in paths):
        sums = path.parent / SUMS
        if not path.is_file() or not sums.is_file():
            raise Refused(f"{path.name} or {SUMS} is not in {path.parent}: make package")
        package = path.read_bytes()
        if f"{sha256(package)}  {path.name}" not in sums.read_text(encoding="ascii").splitlines():
            raise Refused(f"{path.name} is not the one that {SUMS} names: make package")
        try:
            found.add(architecture_of(zipfile.ZipFile(path).read("bootstrap")))
        except (Unfit, KeyError, zipfile.BadZipFile) as why:
            raise Refused(f"{path.name}: {why}: make package") from why
    if len(found) > 1:
        raise Refused("the packages are for different architectures: make package")
    return found.pop() if found else None


def upload(aws, args):
    """Uploads the packages and the template that names them; the template's URL."""
    args.output.mkdir(parents=True, exist_ok=True)
    packaged = args.output / args.template.name
    if packaged.resolve() == args.template.resolve():
        raise Refused(f"{packaged} would be overwritten: name another --output")
    aws("cloudformation", "package", "--template-file", str(args.template), "--s3-bucket", args.bucket,
        "--s3-prefix", args.stack, "--output-template-file", str(packaged))
    # Above 51,200 bytes CloudFormation takes a template from a bucket only (docs: CloudFormation quotas).
    key = f"{args.stack}/{hashlib.sha256(packaged.read_bytes()).hexdigest()}.template"
    aws("s3", "cp", "--only-show-errors", str(packaged), f"s3://{args.bucket}/{key}")
    return aws.address(args.bucket, key)


def create(aws, args, kind, url, parameters):
    """Creates a change set and waits for it; DescribeChangeSet's answer."""
    made = aws.json("cloudformation", "create-change-set", StackName=args.stack, ChangeSetType=kind, TemplateURL=url,
                    ChangeSetName=f"twinpool-{time.time_ns()}", Parameters=parameters, Capabilities=CAPABILITIES)
    until = time.monotonic() + 600
    while True:
        answer = aws.json("cloudformation", "describe-change-set", ChangeSetName=made["Id"])
        if answer["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return answer
        if time.monotonic() > until:
            raise Refused(f"the change set is still {answer['Status']} after ten minutes: {made['Id']}")
        time.sleep(args.poll)


def discard(aws, answer, was_there):
    """Removes a change set that is not executed, and the empty stack that came with the first one."""
    aws.json("cloudformation", "delete-change-set", ChangeSetName=answer["ChangeSetId"])
    if not was_there:
        aws.json("cloudformation", "delete-stack", StackName=answer["StackId"])


def agreed(args, lines):
    """Whether the change set may be executed; says why not."""
    if lines and not args.allow_replacement:
        print("refused: see the lines with !!!; ALLOW_REPLACEMENT=1 allows it", file=sys.stderr)
        return False
    if args.yes:
        return True
    if not sys.stdin.isatty():
        print("not executed: nobody is here to ask; YES=1 agrees beforehand", file=sys.stderr)
        return False
    return input("Execute this change set? [y/N] ").strip().lower() in ("y", "yes")


def execute(aws, args, answer):
    """Executes a change set and waits for the end, saying what is done on the way; DescribeStacks' entry."""
    token = f"twinpool-{time.time_ns()}"
    aws.json("cloudformation", "execute-change-set", ChangeSetName=answer["ChangeSetId"], ClientRequestToken=token)
    told, until = set(), time.monotonic() + LOOKS_ON_FOR
    while time.monotonic() < until:
        time.sleep(args.poll)
        stack = aws.stack(answer["StackId"])
        events = json.loads(aws("cloudformation", "describe-stack-events", "--stack-name", answer["StackId"],
                                "--output", "json", "--max-items", "300"))["StackEvents"]
        # All events of an operation carry its token.
        events = [event for event in events if event.get("ClientRequestToken") == token]
        for event in reversed(events):
            status = event["ResourceStatus"]
            if event["EventId"] not in told and not status.endswith("_IN_PROGRESS"):
                told.add(event["EventId"])
                print(f"  {status:<20} {event['LogicalResourceId']}", flush=True)
        # Before its first event the operation may not show in the stack's status yet, which is then that of the one before.
        if events and not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
    else:
        raise Refused(f"{args.stack} is still {stack['StackStatus']} after two hours; it goes on without being looked at")
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        why = "\n  ".join(change_set.failures(events))
        hint = change_set.way_out(stack["StackStatus"], args.template.name, args.stack, aws.region, change_set.values_of(stack))
        raise Refused(f"{args.stack}: {stack['StackStatus']}\n  {why}\n{hint}")
    return stack


def protect(aws, args, stack, created):
    """Turns on the termination protection of a primary stack that was created: deleted while a pool is attached, it would fail every
    sign-in. Other templates' stacks are in nobody's sign-in. Where it is off later that was somebody's will, and is only said.
    """
    if created:
        aws.json("cloudformation", "update-termination-protection", StackName=stack["StackId"], EnableTerminationProtection=True)
        print("termination protection: on; who removes the stack detaches first (infra/README.md, Remove)")
    elif not stack.get("EnableTerminationProtection"):
        print(f"termination protection: OFF; on: aws cloudformation update-termination-protection --region {aws.region}"
              f" --stack-name {args.stack} --enable-termination-protection")


def deploy(args):
    aws = Aws(args)
    named = change_set.named_parameters(args.parameters)
    built_for = check_packages(args.template)
    stack = aws.stack(args.stack)
    before, status, template = change_set.values_of(stack), stack and stack["StackStatus"], args.template.name
    kind = change_set.change_set_type(status, change_set.way_out(status, template, args.stack, aws.region, before))

    url = upload(aws, args)
    summary = aws.json("cloudformation", "get-template-summary", TemplateURL=url)
    change_set.of_its_own(args.stack, template, STACKS, summary.get("Description"), (stack or {}).get("Description"))
    declared = summary["Parameters"]
    if change_set.TEMPLATE_URL in (entry["ParameterKey"] for entry in declared):
        # Whatever was there: it is where `twinpool attach` finds the template that the stack has.
        named[change_set.TEMPLATE_URL] = url
    request = change_set.parameters(declared, named, before)
    after = change_set.effective(declared, named, before)
    change_set.region_of_pools(template, after, aws.region)
    lost = change_set.replica_lost(before, after)
    runs_on = after.get("Architecture")
    if built_for and runs_on and built_for != runs_on:
        raise Refused(f"the packages are for {built_for}, the functions for {runs_on}: make package ARCHITECTURE={runs_on},"
                      f" or PARAMETERS='Architecture={built_for}'")

    answer = create(aws, args, kind, url, request)
    executed = False
    try:
        if change_set.is_empty(answer):
            print(f"{args.stack} in {aws.region}: nothing to do")
            return True
        if answer["Status"] == "FAILED":
            raise Refused(f"the change set failed: {answer.get('StatusReason', 'no reason given')}")
        rows = change_set.changes(answer)
        lines = lost + change_set.dangers(rows, args.stack, before, after)
        account = answer["StackId"].split(":")[4]
        print(f"{args.stack} in {aws.region}, account {account}: {kind.lower()}, resources: {len(rows)}")
        print("\n".join(["", *change_set.table(rows), "", *lines]), flush=True)
        if not agreed(args, lines):
            return False
        executed = True
        done = execute(aws, args, answer)
    finally:
        if not executed:
            discard(aws, answer, stack is not None)
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in done.get("Outputs", [])}
    print("\n".join(["", *(f"{key} = {value}" for key, value in sorted(outputs.items())), ""]))
    if template == change_set.PRIMARY:
        protect(aws, args, done, kind == "CREATE")
    print("\n".join(change_set.next_step(template, args.stack, change_set.values_of(done), outputs)))
    return True


def main():
    try:
        sys.exit(0 if deploy(arguments()) else 1)
    except Refused as why:
        sys.exit(f"deploy: {why}")
    except KeyboardInterrupt:
        sys.exit("\ndeploy: stopped; an execution that was begun goes on (aws cloudformation describe-stack-events)")


if __name__ == "__main__":
    main()
