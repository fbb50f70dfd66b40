"""Where releases go and how their health is asked: the parts of an environment that come in several types."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictStr,
    Tag,
    field_validator,
    model_validator,
)

from opconsole.settings.errors import custom_error
from opconsole.settings.types import (
    Argv,
    Flag,
    Host,
    JsonKey,
    Place,
    Positive,
    Seconds,
    Variables,
    WebAddress,
)

TARGET_GROUP = "opconsole.targets"
"""Entry points of this group name further types of target."""

TAG = "type="
"""Begins the tag that pydantic puts into an error's place for one member of a union; no key begins so."""


class Section(BaseModel):
    """A table of the settings: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ReleasesTarget(Section):
    """``type = "releases"``: a folder with ``releases/``, ``shared/`` and the link ``current``."""

    type: Literal["releases"] = "releases"
    path: Place
    """The folder, relative to the workspace; made when it is missing."""
    restart: Argv | None = None
    """Program that restarts the service after each switch. Default: nothing has to be restarted."""
    stop: Argv | None = None
    """Program that stops the service before a rollback. Default: the restart replaces it."""
    keep: Annotated[Positive, Field(ge=2)] = 5
    """Releases kept; at least two, for a rollback needs a predecessor."""
    venv: Place | None = None
    """Virtual environment whose programs come first for restart and stop, relative to the workspace."""
    variables: Variables = Field(default_factory=dict)
    """Variables of the restart and stop programs; they win over the environment's."""


class CommandTarget(Section):
    """``type = "command"``: the user's own programs; what they are told is in their variables."""

    type: Literal["command"] = "command"
    deploy: Argv
    """Program that places the release and puts it to work."""
    rollback: Argv
    """Program that brings the previous release back."""
    stop: Argv | None = None
    """Program that stops the service before a rollback."""
    probe: Argv | None = None
    """Program that prints the version in place. Absent: the plan says that the target cannot be probed."""
    venv: Place | None = None
    """Virtual environment whose programs come first, relative to the workspace."""
    variables: Variables = Field(default_factory=dict)
    """Variables of these programs; they win over the environment's."""


class ExtensionTarget(Section):
    """Any other type: one that an installed package registers in the group ``opconsole.targets``."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    type: StrictStr
    """The entry point's name."""

    @field_validator("type")
    @classmethod
    def _is_installed(cls, name: str) -> str:
        installed = {point.name for point in entry_points(group=TARGET_GROUP)}
        if name not in installed:
            allowed = ", ".join(["releases", "command", *sorted(installed)])
            raise custom_error("no such type of target is installed", allowed=allowed)
        return name

    @property
    def options(self) -> Mapping[str, object]:
        """The keys that the extension itself understands, as the file has them."""
        return self.model_extra or {}


class _Check(Section):
    """What all health checks have: asked every *interval* until *passes* in a row, or *within* is over."""

    interval: Seconds = 1
    """Seconds from one try to the next."""
    timeout: Seconds = 5
    """Seconds that one try may take."""
    passes: Positive = 2
    """Tries in a row that must succeed."""
    within: Seconds = 60
    """Seconds after which a check that has not passed has failed."""

    @model_validator(mode="after")
    def _can_pass_in_time(self) -> Self:
        if (self.passes - 1) * self.interval >= self.within:
            raise custom_error(
                f"{self.passes} passes, {self.interval:g} s apart, do not fit into {self.within:g} s",
                allowed="a longer within, fewer passes or a shorter interval",
            )
        return self


class HttpCheck(_Check):
    """``type = "http"``: a page answers as it should."""

    type: Literal["http"] = "http"
    url: WebAddress
    """The page that is asked."""
    status: Annotated[Positive, Field(ge=100, le=599)] = 200
    """The status it must answer with."""
    body: StrictStr | None = None
    """Text that must occur in the answer. Default: any."""
    version_key: JsonKey | None = None
    """Key of the JSON answer that holds the version. Default: it may stand anywhere in the answer."""
    expect_version: Flag = False
    """True: the answer must hold the version that was deployed."""


class TcpCheck(_Check):
    """``type = "tcp"``: something accepts connections."""

    type: Literal["tcp"] = "tcp"
    host: Host = "127.0.0.1"
    """Host name or address."""
    port: Annotated[Positive, Field(le=65535)]
    """1 to 65535."""


class CommandCheck(_Check):
    """``type = "command"``: a program ends with status 0."""

    type: Literal["command"] = "command"
    argv: Argv
    """The program and its arguments."""


def _type_of(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return str(kind) if isinstance(kind, str) and kind else ""


def _target_tag(value: object) -> str | None:
    kind = _type_of(value)
    if not kind:
        return None
    return TAG + (kind if kind in ("releases", "command") else "extension")


def _health_tag(value: object) -> str | None:
    kind = _type_of(value)
    return TAG + kind if kind in ("http", "tcp", "command") else None


Target = Annotated[
    Annotated[ReleasesTarget, Tag("type=releases")]
    | Annotated[CommandTarget, Tag("type=command")]
    | Annotated[ExtensionTarget, Tag("type=extension")],
    Discriminator(
        _target_tag,
        custom_error_type="which_type",
        custom_error_message="a target names its type",
        custom_error_context={"allowed": "releases, command, or an installed extension's name"},
    ),
]
"""Where an environment's releases go."""

Health = Annotated[
    Annotated[HttpCheck, Tag("type=http")]
    | Annotated[TcpCheck, Tag("type=tcp")]
    | Annotated[CommandCheck, Tag("type=command")],
    Discriminator(
        _health_tag,
        custom_error_type="which_type",
        custom_error_message="a health check names its type",
        custom_error_context={"allowed": "http, tcp, command"},
    ),
]
"""A check that a deployment must pass."""
