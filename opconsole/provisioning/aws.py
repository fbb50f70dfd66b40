"""AWS, asked through boto3: whose account it is, change sets, stacks, and what a resource looks like now.

Each method is one exchange that blocks: call it in a thread. boto3 is imported when something is asked, and
what AWS refuses becomes an AwsError with what it said and what to do.
"""
# ruff: noqa: PLC0415 - boto3 loads a second's worth of code, which only provisioning needs

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from boto3.session import Session

T = TypeVar("T")

CONNECT_LIMIT = 10.0
READ_LIMIT = 30.0
"""Seconds for connecting to AWS, and for an answer."""


class AwsError(Exception):
    """AWS refused or could not be asked; says what, what it answered, and what to do.

    *code* is AWS's own word for it, where it answered at all.
    """

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How AWS is reached: from the settings, with the environment's credentials."""

    region: str
    profile: str | None = None
    role: str | None = None
    """The ARN of a role to assume."""
    account: str | None = None
    """The account that it must be."""
    endpoint: str | None = None
    """Another address for every service: a stand-in for AWS."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS says that we are."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set as CloudFormation describes it."""

    status: str
    execution: str
    reason: str
    kind: str
    """CREATE or UPDATE."""
    changes: tuple[tuple[str, str, str, str], ...] = ()
    """Action, logical id, type and replacement of each change, ordered."""

    @property
    def empty(self) -> bool:
        """Whether it failed because there is nothing to change."""
        told = self.reason.lower()
        return self.status == "FAILED" and ("didn't contain changes" in told or "no updates" in told)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as CloudFormation describes it."""

    status: str
    reason: str
    outputs: Mapping[str, str]


class Aws:
    """One account in one region."""

    def __init__(self, access: AwsAccess, environ: Mapping[str, str]) -> None:
        """*environ* is where credentials are looked up before AWS's own files."""
        self.access = access
        self._environ = environ

    # -- who we are

    def identity(self) -> Identity:
        """Ask STS who we are; raise AwsError where it is not the account of the settings."""
        answer = self._ask("STS", lambda: self._client("sts").get_caller_identity())
        found = Identity(str(answer["Account"]), str(answer["Arn"]))
        if self.access.account is not None and found.account != self.access.account:
            raise AwsError(
                f"AWS says that this is account {found.account}, but the settings say {self.access.account}; "
                "check the profile, or [aws] account"
            )
        return found

    # -- stacks and change sets

    def stack(self, name: str) -> Stack | None:
        """Describe a stack; None where there is none."""
        try:
            answer = self._ask("CloudFormation", lambda: self._stacks.describe_stacks(StackName=name))
        except AwsError as error:
            if error.code == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        found = answer["Stacks"][0]
        outputs = {str(one["OutputKey"]): str(one["OutputValue"]) for one in found.get("Outputs", [])}
        return Stack(str(found["StackStatus"]), str(found.get("StackStatusReason", "")), outputs)

    def create_change_set(
        self, stack: str, name: str, template: str, *, kind: str, tags: Mapping[str, str]
    ) -> None:
        """Create a change set; one of that name that is there already is left as it is."""
        try:
            self._ask(
                "CloudFormation",
                lambda: self._stacks.create_change_set(
                    StackName=stack,
                    ChangeSetName=name,
                    ChangeSetType=kind,
                    TemplateBody=template,
                    Capabilities=["CAPABILITY_NAMED_IAM"],
                    ClientToken=name,
                    Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                ),
            )
        except AwsError as error:
            if error.code != "AlreadyExistsException":
                raise

    def change_set(self, stack: str, name: str) -> ChangeSet | None:
        """Describe a change set; None where there is none."""
        try:
            answer = self._ask(
                "CloudFormation",
                lambda: self._stacks.describe_change_set(StackName=stack, ChangeSetName=name),
            )
        except AwsError as error:
            if error.code in ("ChangeSetNotFound", "ChangeSetNotFoundException") or (
                error.code == "ValidationError" and "does not exist" in str(error)
            ):
                return None
            raise
        changes = []
        for one in answer.get("Changes", []):
            change: Mapping[str, Any] = one.get("ResourceChange", {})
            words = ("Action", "LogicalResourceId", "ResourceType", "Replacement")
            changes.append(tuple(str(change.get(word, "")) for word in words))
        return ChangeSet(
            status=str(answer.get("Status", "")),
            execution=str(answer.get("ExecutionStatus", "")),
            reason=str(answer.get("StatusReason", "")),
            kind=str(answer.get("ChangeSetType", "")),
            changes=tuple(sorted((a, b, c, d) for a, b, c, d in changes)),
        )

    def execute(self, stack: str, name: str) -> None:
        """Execute a change set; saying it twice is saying it once."""
        self._ask(
            "CloudFormation",
            lambda: self._stacks.execute_change_set(
                StackName=stack, ChangeSetName=name, ClientRequestToken=name
            ),
        )

    def template(self, stack: str) -> object:
        """Give the template that a stack was made from, as JSON."""
        answer = self._ask("CloudFormation", lambda: self._stacks.get_template(StackName=stack))
        body: object = answer["TemplateBody"]
        return json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))

    def events(self, stack: str) -> list[tuple[str, str]]:
        """Give a stack's events, oldest first: each one's id, and a sentence."""
        answer = self._ask("CloudFormation", lambda: self._stacks.describe_stack_events(StackName=stack))
        told = []
        for one in answer["StackEvents"]:
            reason = f": {one['ResourceStatusReason']}" if one.get("ResourceStatusReason") else ""
            text = f"{one.get('LogicalResourceId')} {one.get('ResourceStatus')}{reason}"
            told.append((str(one["EventId"]), text))
        return told[::-1]

    # -- anything else

    def ask(self, service: str, operation: str, **arguments: object) -> Mapping[str, Any]:
        """Ask one operation of one service that only reads. Raises AwsError."""
        client = self._client(service)
        answer: Mapping[str, Any] = self._ask(service, lambda: getattr(client, operation)(**arguments))
        return answer

    @cached_property
    def _stacks(self) -> Any:
        return self._client("cloudformation")

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_LIMIT,
            read_timeout=READ_LIMIT,
            retries={"mode": "standard", "max_attempts": 4},
        )
        # The names of services are one large union of literals to the type checker.
        name: Any = service
        return self._ask(
            "boto3",
            lambda: self._session.client(
                name, region_name=self.access.region, endpoint_url=self.access.endpoint, config=config
            ),
        )

    @cached_property
    def _session(self) -> Session:
        return self._ask("boto3", self._open)

    def _open(self) -> Session:
        try:
            from boto3.session import Session
        except ImportError as error:
            raise AwsError(
                "boto3 is not installed; install opconsole with its extra: pip install 'opconsole[aws]'"
            ) from error
        environ = {} if self.access.profile is not None else self._environ
        session = Session(
            profile_name=self.access.profile,
            region_name=self.access.region,
            aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        )
        if self.access.role is None:
            return session
        sts = session.client("sts", region_name=self.access.region, endpoint_url=self.access.endpoint)
        answer = sts.assume_role(RoleArn=self.access.role, RoleSessionName="opconsole")
        lent = answer["Credentials"]
        return Session(
            aws_access_key_id=lent["AccessKeyId"],
            aws_secret_access_key=lent["SecretAccessKey"],
            aws_session_token=lent["SessionToken"],
            region_name=self.access.region,
        )

    def _ask(self, service: str, question: Callable[[], T]) -> T:
        """Ask, and say what went wrong in words of ours; the credentials are in none of them."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError
            from botocore.parsers import ResponseParserError
        except ImportError as error:
            raise AwsError(
                "boto3 is not installed; install opconsole with its extra: pip install 'opconsole[aws]'"
            ) from error
        try:
            return question()
        except ClientError as error:
            told = error.response.get("Error", {})
            code = str(told.get("Code", ""))
            hint = _HINTS.get(code, "")
            raise AwsError(f"{service} refused ({code}): {told.get('Message', '')}{hint}", code) from error
        except (BotoCoreError, ResponseParserError) as error:
            text = " ".join(str(error).split())
            raise AwsError(
                f"AWS could not be asked: {text}; check the network, and the credentials with "
                "`aws sts get-caller-identity`"
            ) from error


_HINTS = {
    "AccessDenied": "; the role or user needs that permission",
    "AccessDeniedException": "; the role or user needs that permission",
    "ExpiredToken": "; the credentials have expired: sign in again",
    "ExpiredTokenException": "; the credentials have expired: sign in again",
    "InvalidClientTokenId": "; AWS does not know these credentials",
    "InvalidChangeSetStatus": "; the stack was changed since: run the task again for a new change set",
    "LimitExceededException": "; the account's quota is used up",
}
