"""What the local cloud's emulator cannot do with the template that is deployed on AWS.

Every difference between a local deployment and a real one stands in this file, and overlay.md gives the reason for each.
Invariant: never changes what the product under test is given (environment, permissions' meaning, queue settings) unless
the caller asked for it on the command line.
"""

import time

# Resources of the template that the emulator refuses to create.
UNSUPPORTED = ("ChangeNotSentAlarm", "ChainNotInvokedAlarm", "TriggerFailingAlarm", "TriggerThrottledAlarm")
# What the reconciler's plan answers as the number of its workers.
WORKERS = 4


def patch_template(template, parameters, extra_environment):
    """Patches the parsed template in place, before CloudFormation sees it."""
    for name in UNSUPPORTED:
        # A KeyError is wanted here: an overlay for a resource that no longer exists has to go.
        del template["Resources"][name]
    mapping = template["Resources"]["Replicator"]["Properties"]["Events"]["Changes"]["Properties"]
    inline_numbers(mapping, {name: parameters.get(name, declared.get("Default"))
                             for name, declared in template["Parameters"].items() if declared["Type"] == "Number"})
    if extra_environment:
        environment = template["Globals"]["Function"].setdefault("Environment", {})
        environment.setdefault("Variables", {}).update(extra_environment)


def inline_numbers(properties, numbers):
    """Replaces references to number parameters by numbers."""
    for key, value in properties.items():
        if isinstance(value, dict) and value.get("Ref") in numbers:
            properties[key] = int(numbers[value["Ref"]])
        elif isinstance(value, dict):
            inline_numbers(value, numbers)


def patch_state_machine(definition):
    """Writes the concurrency of a Map in, which the emulator does not take from the input."""
    if "MaxConcurrencyPath" in definition:
        del definition["MaxConcurrencyPath"]
        definition["MaxConcurrency"] = WORKERS
    for value in definition.values():
        if isinstance(value, dict):
            patch_state_machine(value)


def schedule(template, expression):
    """A test's own, past the pattern of the parameter: the local Scheduler starts at once what was due before it was made."""
    template["Resources"]["NightlyReconcile"]["Properties"]["ScheduleExpression"] = expression


def disable_schedule(template):
    """Whoever works at three in the morning is not disturbed by the reconcile."""
    template["Resources"]["NightlyReconcile"]["Properties"]["State"] = "DISABLED"


def replicate_table(primary, recovery, table, region, properties):
    """Adds the second replica, and the table's settings that the emulator's CloudFormation ignores."""
    replicas = primary.describe_table(TableName=table)["Table"].get("Replicas", [])
    if not any(replica["RegionName"] == region for replica in replicas):
        primary.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": region}}])
    wait("the table's replica", lambda: recovery.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    days = properties["Replicas"][0]["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"]
    # Set on one replica, it applies to all, here as on AWS.
    primary.update_time_to_live(TableName=table, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    for client in (primary, recovery):
        client.update_continuous_backups(
            TableName=table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days},
        )
        client.update_table(TableName=table, DeletionProtectionEnabled=True)


def redeliver_sooner(queues, url, seconds):
    """A test that waits for a redelivery cannot wait for the template's seven minutes."""
    queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})


def wait(what, ready, seconds=20):
    """Polls until `ready()` is true; `what` names it when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        if ready():
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"deploy: {what}: not ready after {seconds} s")
        time.sleep(0.05)
