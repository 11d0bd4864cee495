"""`make up`: a pool that is backed up, on the local cloud that runs already. Run by the Python of `.local/venv/ministack`.

Makes a pool with an app client by ordinary AWS calls, deploys infra/primary.yaml and infra/recovery.yaml by deploy.py, attaches
the triggers, and says what to try. Whatever is there already is left as it is, so that a second run says the same.

Invariant: never talks to anything but the local cloud of the given run folder.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import botocore.exceptions

# Nothing is left behind in the checkout.
sys.dont_write_bytecode = True
import deploy

REGION, RECOVERY_REGION = "us-east-1", "eu-west-1"
STACK, RECOVERY_STACK = "twinpool", "twinpool-recovery"
NAME = "demo"
PASSWORD = "Correct-horse-1"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, help="run folder of the local cloud")
    parser.add_argument("--bin-dir", type=pathlib.Path, required=True, help="folder with the binaries of `make build`")
    return parser.parse_args()


def demo_pool(cognito):
    """The demo's pool and app client, made where they are missing."""
    pools = cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
    found = [pool["Id"] for page in pools for pool in page["UserPools"] if pool["Name"] == NAME]
    pool = found[0] if found else cognito.create_user_pool(
        PoolName=NAME, AliasAttributes=["email"], AutoVerifiedAttributes=["email"], MfaConfiguration="OFF"
    )["UserPool"]["Id"]
    clients = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    found = [client["ClientId"] for client in clients if client["ClientName"] == NAME]
    client = found[0] if found else cognito.create_user_pool_client(
        UserPoolId=pool, ClientName=NAME, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    return pool, client


def outputs(stacks, name):
    """Outputs of a stack that is whole; None where there is none."""
    try:
        stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
    except botocore.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return None
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def environment(endpoint, pool, deployed):
    """What an operator sets, for the AWS CLI and for `twinpool`."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        # The older AWS CLI reads this one only.
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "TWINPOOL_POOLS": pool,
        "TWINPOOL_TABLE": deployed["TableName"],
        "TWINPOOL_QUEUE_URL": deployed["QueueUrl"],
        "TWINPOOL_DLQ_URL": deployed["DeadLetterQueueUrl"],
    }


def attach(twinpool, variables, pool):
    """Puts the functions into the pool's trigger slots, as an operator does it."""
    done = subprocess.run(
        [twinpool, "attach", "--pool", pool, "--stack", STACK, "--yes"],
        # Nothing of this machine's AWS configuration is read.
        env={"PATH": os.environ.get("PATH", ""), "AWS_EC2_METADATA_DISABLED": "true", **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"up: twinpool attach: status {done.returncode}\n{done.stderr}")


def main():
    args = arguments()
    noted = json.loads((args.run_dir / "localcloud.json").read_text())
    endpoint = noted["endpoint"]
    stacks = [deploy.client("cloudformation", endpoint, region) for region in (REGION, RECOVERY_REGION)]
    pool, client = demo_pool(deploy.client("cognito-idp", endpoint, REGION))
    deployed, recovery = outputs(stacks[0], STACK), outputs(stacks[1], RECOVERY_STACK)
    is_up = deployed is not None and recovery is not None
    if not is_up:
        subprocess.run(
            [
                sys.executable, pathlib.Path(__file__).with_name("deploy.py"), "--endpoint", endpoint,
                "--ministack", noted["ministack_url"], "--region", REGION, "--recovery-region", RECOVERY_REGION,
                "--stack", STACK, "--recovery-stack", RECOVERY_STACK, "--pools", pool, "--bin-dir", args.bin_dir,
                "--out", args.run_dir / "deployment.json",
            ],
            check=True,
        )
        deployed, recovery = outputs(stacks[0], STACK), outputs(stacks[1], RECOVERY_STACK)
    variables = environment(endpoint, pool, deployed)
    twinpool = args.bin_dir / "twinpool"
    attach(twinpool, variables, pool)
    print(f"{'already up' if is_up else 'up'} at {endpoint} (a test double; `make down` ends it and all that is in it)\n")
    for name, value in {
        "user pool": pool,
        "app client": client,
        "queue": deployed["QueueUrl"],
        "table": f"{deployed['TableName']}, in {REGION} and {RECOVERY_REGION}",
        "dashboard": deployed.get("DashboardName", ""),
    }.items():
        print(f"  {name:11} {value}")
    print()
    for names in (list(variables)[:2], list(variables)[2:5], list(variables)[5:7], list(variables)[7:]):
        print("export " + " ".join(f"{name}={variables[name]}" for name in names))
    # Twinpool's own triggers have no place in a rebuilt pool.
    triggers = [deployed[f"{name}Arn"] for name in ("PostConfirmation", "PostAuthentication", "CustomMessage")]
    order = {"pool": pool, "mapping": {"version": 1, "arns": dict.fromkeys(triggers)}}
    print(f"""
# a user, and the copy in both Regions
aws cognito-idp sign-up --client-id {client} --username ada --password {PASSWORD} \\
    --user-attributes Name=email,Value=ada@example.com
aws cognito-idp admin-confirm-sign-up --user-pool-id {pool} --username ada
aws cognito-idp initiate-auth --client-id {client} --auth-flow USER_PASSWORD_AUTH \\
    --auth-parameters USERNAME=ada,PASSWORD={PASSWORD}
{twinpool} status
{twinpool} show ada
aws dynamodb scan --table-name {deployed['TableName']} --region {RECOVERY_REGION} --select COUNT
# the nightly reconcile, now
aws stepfunctions start-execution --state-machine-arn {deployed['ReconcileStateMachineArn']}
# when it has ended: a drill, which rebuilds the pool in {RECOVERY_REGION}, compares it and removes it
aws stepfunctions start-execution --region {RECOVERY_REGION} --state-machine-arn {recovery['DrillStateMachineArn']} \\
    --input '{json.dumps(order)}'""")


if __name__ == "__main__":
    main()
