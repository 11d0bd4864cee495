"""What deploy.py decides: which values a stack's parameters get, what a change set would do, and what comes next. Nothing here
calls AWS.

Invariant: a replacement or removal of what holds data, or of what a sign-in needs, is never taken for harmless; what CloudFormation
cannot say in advance ("Conditional", "Dynamic") counts as one.
"""

import difflib
import json
import shlex

# What holds data, or without which data cannot be read, and that a template of this folder has.
STATEFUL = {
    "AWS::DynamoDB::GlobalTable": "the backup",
    "AWS::DynamoDB::Table": "the backup",
    "AWS::KMS::Key": "the key of the backup",
    "AWS::KMS::ReplicaKey": "the key of the backup",
    "AWS::SQS::Queue": "the changes in it",
}
# StatusReason of a change set that changes nothing; CloudFormation says it in one of two ways.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# The template that user pools depend on.
PRIMARY = "primary.yaml"
# The parameter that has where the template was uploaded to. An update with the previous template keeps the values of the pools' loop
# [CloudFormation user guide, AWS::LanguageExtensions], so `twinpool attach` sends the template again.
TEMPLATE_URL = "TemplateUrl"
# Its functions in a pool's trigger slots. Without one of them, or without Cognito's permission to invoke it, every sign-in of an
# attached pool fails.
TRIGGERS = ("PostConfirmation", "PostAuthentication", "CustomMessage")
# A status that no change set can be made in, and what to do.
STUCK = {
    "DELETE_FAILED": "delete it again, with what cannot be deleted retained",
    "UPDATE_ROLLBACK_FAILED": "mend what its events name, then: aws cloudformation continue-update-rollback",
    "UPDATE_FAILED": "mend what its events name, then: aws cloudformation rollback-stack",
}
CREATION_FAILED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


class Refused(Exception):
    """Why nothing was changed, and what mends it."""


def change_set_type(status, hint):
    """CREATE or UPDATE, from the stack's status (`None` = there is none); `Refused`, with the `hint`, when neither can be."""
    if status is None or status == "REVIEW_IN_PROGRESS":
        return "CREATE"
    if status in STUCK or status in CREATION_FAILED:
        raise Refused(f"the stack is {status}: {hint}")
    if status.endswith("_IN_PROGRESS"):
        raise Refused(f"the stack is {status}: wait until that has ended")
    return "UPDATE"


def way_out(status, template, stack, region, values):
    """What to do about a stack whose operation ended in this status; `values` are the stack's parameters.

    A creation that is rolled back leaves what has the deletion policy Retain: the table, with its deletion protection on.
    """
    if status not in CREATION_FAILED:
        return STUCK.get(status, "the stack is as it was before")
    table = {PRIMARY: f"{stack}-backup", "backup-account.yaml": values.get("TableName")}.get(template)
    lines = ["its creation failed: read why in its events. Before the next deployment (infra/README.md, Remove):"]
    if table and not values.get("ExistingTableArn"):
        of = f"--region {region} --table-name {table}"
        lines += [
            f"  aws dynamodb describe-table {of} --query 'Table.[ItemCount,CreationDateTime]'",
            f"KEEP {table} when it has items (the count is up to six hours old) or is older than this stack: it is an earlier backup.",
            "Only the EMPTY table of this deployment goes:",
            f"  aws dynamodb update-table {of} --no-deletion-protection-enabled",
            f"  aws dynamodb delete-table {of}",
            "Then, or at once when there is no such table:",
        ]
    return "\n".join([*lines, f"  aws cloudformation delete-stack --region {region} --stack-name {stack}"])


def of_its_own(stack, template, defaults, description, found):
    """`Refused` when a template is about to be sent onto another one's stack, as a STACK left in a shell would have it.

    `description` is the template's, `found` the stack's: DescribeStacks and GetTemplateSummary carry them. Two templates of the
    recovery Region begin alike, so the names that `defaults` has for other templates are refused as well.
    """
    other = next((other for other, name in defaults.items() if name == stack and other != template), None)
    if other:
        raise Refused(f"STACK={stack} is the name of {other}'s stack, and this is {template}; unset STACK, or give another")
    own, theirs = (text.partition(":")[0].strip() for text in (description or "", found or ""))
    if own and theirs and own != theirs:
        raise Refused(f'the stack {stack} is "{theirs}", and {template} is "{own}"; unset STACK, or give another')


def named_parameters(text):
    """`Key=Value Key='Value with blanks'` as a mapping; quotes work as in a shell."""
    try:
        words = shlex.split(text)
    except ValueError as why:
        raise Refused(f"PARAMETERS: {why}") from why
    named = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise Refused(f"PARAMETERS: {word} is not Key=Value; a value with blanks needs quotes")
        if key in named:
            raise Refused(f"PARAMETERS: {key} is named twice")
        named[key] = value
    return named


def values_of(stack):
    """The parameters of DescribeStacks' entry, or of none."""
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in (stack or {}).get("Parameters", [])}


def parameters(declared, named, present):
    """The request's parameters: what is named has that value, what the stack has keeps its own, the rest has its default.

    `declared` is GetTemplateSummary's list, `present` the names that the stack has a value of.
    """
    names = [entry["ParameterKey"] for entry in declared]
    for key in named:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
            raise Refused(f"PARAMETERS: the template has no {key}" + (f"; {near[0]}?" if near else ""))
    request, missing = [], []
    for entry in declared:
        key = entry["ParameterKey"]
        if key in named:
            request.append({"ParameterKey": key, "ParameterValue": named[key]})
        elif key in present:
            request.append({"ParameterKey": key, "UsePreviousValue": True})
        elif "DefaultValue" not in entry:
            missing.append(key)
    if missing:
        raise Refused(f"PARAMETERS has to name {', '.join(missing)}: the first deployment has no value of it yet")
    return request


def effective(declared, named, present):
    """The value that each parameter of the template will have; `None` without one."""
    keys = {entry["ParameterKey"]: entry.get("DefaultValue") for entry in declared}
    return {key: named.get(key, present.get(key, default)) for key, default in keys.items()}


def pools_of(values):
    """The user pools of a stack's parameters."""
    return [pool.strip() for pool in (values.get("UserPoolIds") or "").split(",") if pool.strip()]


def region_of_pools(template, values, region):
    """`Refused` when the primary stack would be made in another Region than its pools': no trigger and no event would reach it."""
    for pool in pools_of(values) if template == PRIMARY else []:
        home = pool.partition("_")[0]
        if home != region:
            raise Refused(f"the pool {pool} is in {home}, and this is {region}: {template} goes where the pools are; REGION={home}")


def replica_lost(before, after):
    """The loud line when a new RecoveryRegion deletes the table's replica, in a list. To CloudFormation that replaces nothing.

    `Refused` when it would move: one replica may be added or removed per update [CloudFormation, `AWS::DynamoDB::GlobalTable`].
    """
    old, new = (values.get("RecoveryRegion") or "" for values in (before, after))
    # A table that was brought has its replicas from its owner.
    if not old or old == new or after.get("ExistingTableArn"):
        return []
    if new:
        raise Refused(f"RecoveryRegion from {old} to {new}: AWS adds or removes one replica per update. In two steps, and with one Region "
                      f"between them: PARAMETERS='RecoveryRegion=' with ALLOW_REPLACEMENT=1, which deletes the replica in {old}; then, "
                      f"when the key has a replica in {new} (recovery-key.yaml), PARAMETERS='RecoveryRegion={new}'")
    return [f"!!! RecoveryRegion: the table's replica in {old} is DELETED, and nothing can be rebuilt there"]


def is_empty(answer):
    """Whether a failed change set failed because there is nothing to change."""
    return answer["Status"] == "FAILED" and any(text in answer.get("StatusReason", "") for text in NO_CHANGES)


def changes(answer):
    """The resource changes of DescribeChangeSet's answer."""
    return [entry["ResourceChange"] for entry in answer.get("Changes", []) if "ResourceChange" in entry]


def table(rows):
    """Resource changes as lines of text, a header first."""
    cells = [("ACTION", "LOGICAL ID", "TYPE", "REPLACEMENT")]
    for row in rows:
        replacement = row.get("Replacement") or "-"
        cells.append((row["Action"], row["LogicalResourceId"], row["ResourceType"], replacement))
    widths = [max(len(cell[column]) for cell in cells) for column in range(len(cells[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(cell, widths)).rstrip() for cell in cells]


def fate_of(row):
    """What happens, or might, to a resource that is replaced or removed; `None` for one that stays."""
    action, replacement = row["Action"], row.get("Replacement")
    if action == "Remove":
        return "is REMOVED from the stack"
    if action == "Modify" and replacement == "True":
        return "is REPLACED"
    if action == "Dynamic" or (action == "Modify" and replacement != "False"):
        return "MAY BE REPLACED"
    return None


def in_sign_ins(row):
    """Whether an attached pool's sign-ins need a resource: a trigger's function, or a pool's permission to invoke it."""
    kind, name = row["ResourceType"], row["LogicalResourceId"]
    permissions = tuple(f"{trigger}Permission" for trigger in TRIGGERS)
    return (kind == "AWS::Lambda::Function" and name in TRIGGERS) or (kind == "AWS::Lambda::Permission" and name.startswith(permissions))


def only_follows(row, rows):
    """Whether a resource "may be replaced" only because another one, which stays, changes: its ARN and name stay then, too.

    A permission names its function by Fn::GetAtt, so every new version of a function brings this. [API reference, ResourceChangeDetail]
    """
    stay = {other["LogicalResourceId"] for other in rows if other["Action"] == "Modify" and other.get("Replacement") == "False"}
    causes = [detail for detail in row.get("Details", []) if detail.get("Target", {}).get("RequiresRecreation") != "Never"]
    return row.get("Replacement") == "Conditional" and bool(causes) and all(
        cause.get("ChangeSource") in ("ResourceAttribute", "ResourceReference")
        and cause.get("CausingEntity", "").partition(".")[0] in stay
        for cause in causes
    )


def dangers(rows, stack, before, after):
    """One loud line for each resource that holds data, or that sign-ins need, and that would be replaced or removed, or might be;
    and how to detach. `before` and `after` are the stack's parameters."""
    lines, attached = [], False
    for row in rows:
        what, fate = STATEFUL.get(row["ResourceType"]), fate_of(row)
        begin = f"!!! {row['LogicalResourceId']} ({row['ResourceType']}) {fate}"
        if fate and what:
            kept = "Retain" in row.get("PolicyAction", "")
            lost = "it is kept, and nobody uses it" if kept else f"lost with it: {what}"
            lines.append(f"{begin}{'' if row['Action'] == 'Remove' else ' by a new, empty one'}: {lost}")
        elif fate and in_sign_ins(row) and not only_follows(row, rows):
            attached = True
            lines.append(f"{begin}: without it every sign-in of an attached pool FAILS")
    if attached:
        leaving = [pool for pool in pools_of(before) if pool not in pools_of(after)] or pools_of(before) or ["..."]
        lines += [f"!!! detach first: twinpool detach --stack {stack} --pool {pool}" for pool in leaving]
    return lines


def failures(events):
    """What failed in an operation and why, first failure first; `events` are newest first, as DescribeStackEvents has them."""
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    # What was cancelled because something else failed explains nothing.
    causes = [event for event in failed if "cancelled" not in event.get("ResourceStatusReason", "")]
    return [
        f"{event['LogicalResourceId']} ({event.get('ResourceType', '?')}): {event.get('ResourceStatusReason', 'no reason given')}"
        for event in causes or failed
    ]


def next_step(template, stack, values, outputs):
    """What comes after a deployment of one of this folder's templates: lines of text."""
    if template == PRIMARY and not values.get("RecoveryRegion") and not values.get("ExistingTableArn"):
        return [
            "The table has one Region yet. For the second one, with a bucket there:",
            f"  make deploy-recovery-key REGION=... BUCKET=... PARAMETERS='PrimaryKeyArn={outputs.get('KeyArn', '...')}'",
            f"  make deploy-primary STACK={stack} BUCKET=... PARAMETERS='RecoveryRegion=...'",
        ]
    if template == PRIMARY:
        return [
            "The importer in the recovery Region, if it is not there yet, then the first reconcile, then the triggers:",
            f"  make deploy-recovery REGION={values.get('RecoveryRegion') or '...'} BUCKET=... PARAMETERS='KeyArn=... TableName="
            f"{outputs.get('TableName', '...')} UserPoolIds={values.get('UserPoolIds', '...')}'",
            f"  aws stepfunctions start-execution --state-machine-arn {outputs.get('ReconcileStateMachineArn', '...')} --input '{{}}'",
            f"  twinpool attach --stack {stack}",
        ]
    if template == "recovery-key.yaml":
        return ["The table's replica: make deploy-primary ... PARAMETERS='RecoveryRegion=...'"]
    if template == "recovery.yaml":
        pool = json.dumps({"pool": values.get("UserPoolIds", "...").split(",")[0], "mapping": {"version": 1}})
        machine = outputs.get("DrillStateMachineArn", "...")
        return [
            "A drill, which makes a pool, compares it and removes it (infra/README.md says what it costs):",
            f"  aws stepfunctions start-execution --state-machine-arn {machine} --input '{pool}'",
        ]
    return []
