"""What AWS refuses, which no stand-in does: botocore's own stubs answer as AWS would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from opconsole.provisioning.aws import Aws, AwsAccess, AwsError

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "not-shown-anywhere"}


@pytest.fixture
def aws() -> Aws:
    return Aws(AwsAccess("us-east-1"), KEYS)


@pytest.fixture
def stacks(aws: Aws) -> Iterator[Stubber]:
    with Stubber(aws._stacks) as stubbed:
        yield stubbed


def test_a_stale_change_set_is_refused_with_what_to_do(aws: Aws, stacks: Stubber):
    stacks.add_client_error("execute_change_set", "InvalidChangeSetStatus", "ChangeSet is OBSOLETE")
    with pytest.raises(AwsError, match="run the task again for a new change set") as told:
        aws.execute("s", "c")
    assert told.value.code == "InvalidChangeSetStatus"


@pytest.mark.parametrize(
    "code", ["AccessDenied", "LimitExceededException", "InsufficientCapabilitiesException"]
)
def test_what_aws_forbids_is_told_in_its_words(aws: Aws, stacks: Stubber, code: str):
    stacks.add_client_error("create_change_set", code, "User is not authorized")
    with pytest.raises(AwsError, match="User is not authorized") as told:
        aws.create_change_set("s", "c", "{}", kind="CREATE", tags={})
    assert told.value.code == code


def test_a_change_set_that_is_there_already_is_no_error(aws: Aws, stacks: Stubber):
    stacks.add_client_error("create_change_set", "AlreadyExistsException", "it exists")
    aws.create_change_set("s", "c", "{}", kind="CREATE", tags={})


def test_a_stack_or_change_set_that_does_not_exist_is_none(aws: Aws, stacks: Stubber):
    stacks.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
    stacks.add_client_error("describe_change_set", "ChangeSetNotFound", "ChangeSet [c] does not exist")
    assert aws.stack("s") is None
    assert aws.change_set("s", "c") is None


def test_another_validation_error_is_not_taken_for_a_missing_stack(aws: Aws, stacks: Stubber):
    stacks.add_client_error("describe_stacks", "ValidationError", "Rate exceeded")
    with pytest.raises(AwsError, match="Rate exceeded"):
        aws.stack("s")


def test_a_change_set_without_changes_is_known_by_its_reason(aws: Aws, stacks: Stubber):
    reason = "The submitted information didn't contain changes. Submit different information."
    answer = {"Status": "FAILED", "StatusReason": reason, "ExecutionStatus": "UNAVAILABLE", "Changes": []}
    stacks.add_response("describe_change_set", answer)
    found = aws.change_set("s", "c")
    assert found is not None
    assert found.empty


def test_expired_credentials_are_named_and_no_key_is_shown(aws: Aws):
    client = aws._client("sts")
    with Stubber(client) as stubbed, pytest.MonkeyPatch.context() as patch:
        stubbed.add_client_error("get_caller_identity", "ExpiredToken", "The token is expired")
        patch.setattr(aws, "_client", lambda _service: client)
        with pytest.raises(AwsError, match="sign in again") as told:
            aws.identity()
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(told.value)


def test_no_network_is_told_with_the_next_step():
    aws = Aws(AwsAccess("us-east-1", endpoint="http://127.0.0.1:9"), KEYS)
    with pytest.raises(AwsError, match="could not be asked"):
        aws.identity()


def test_a_profile_that_is_not_there_is_told():
    with pytest.raises(AwsError, match="nobody-has-this"):
        Aws(AwsAccess("us-east-1", profile="nobody-has-this"), KEYS).identity()
