"""systemd: the unit that keeps a workspace's worker running, and how the worker tells systemd of itself.

The unit's text is made of values alone; nothing here installs or starts anything.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

NOTIFY_VARIABLE = "NOTIFY_SOCKET"


class Manager(StrEnum):
    """Which systemd looks after the worker."""

    USER = "user"  # the person's own: no root, programs run as they do from a terminal
    SYSTEM = "system"  # the machine's: begins at boot, as a named user


@dataclass(frozen=True, slots=True)
class Unit:
    """What the unit of a workspace's worker is made of."""

    workspace: Path
    """The workspace's folder, absolute."""
    title: str
    """What the workspace is called."""
    python: Path
    """The interpreter that opconsole runs with, absolute."""
    user: str
    """Whom the worker runs as, where the machine's systemd starts it."""
    path: Sequence[str]
    """Folders in which programs are found."""
    variables: Mapping[str, str]
    """More variables that the worker needs."""


def unit_name(title: str) -> str:
    """Give the file name of a workspace's unit."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", title).strip("-.")[:100]
    return f"opconsole-{plain or 'workspace'}.service"


def unit_text(unit: Unit, manager: Manager, name: str) -> str:
    """Write the unit. Raises ValueError where a path cannot stand in one."""
    system = manager is Manager.SYSTEM
    command = [str(unit.python), "-P", "-m", "opconsole", "-C", str(unit.workspace), "worker"]
    network = "Wants=network-online.target\nAfter=network-online.target\n" if system else ""
    runs_as = f"User={_value(unit.user)}\n" if system else ""
    # Only absolute folders: a relative one would mean another place in every step.
    search = os.pathsep.join(folder for folder in unit.path if folder.startswith("/"))
    variables = {"PATH": search, **unit.variables}
    environment = "".join(f"Environment={_word(f'{key}={value}')}\n" for key, value in variables.items())
    return _TEMPLATE.format(
        how=_how(manager, name),
        title=_value(unit.title),
        network=network,
        runs_as=runs_as,
        folder=_value(str(unit.workspace)),
        command=" ".join(_word(argument, command=True) for argument in command),
        environment=environment,
        secrets="/etc/opconsole/worker.env" if system else "%h/.config/opconsole/worker.env",
        target="multi-user.target" if system else "default.target",
    )


class Notifier:
    """Tells systemd how the service stands; without a ``NOTIFY_SOCKET`` it says nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Take the socket's address out of the environment, so that no child can speak for the service."""
        return cls(environ.pop(NOTIFY_VARIABLE, None))

    def tell(self, *lines: str) -> bool:
        """Send lines such as ``READY=1``; False where nobody listens. Never fails: the work matters more."""
        if not self._address or self._address[0] not in "/@":
            return False
        # "@" stands for the NUL byte of an address in Linux's abstract namespace.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a full buffer must not hold the worker up
                sender.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), address)
        except OSError:
            return False
        return True


def _value(text: str) -> str:
    """Write a value that takes the rest of its line."""
    if not text.isprintable():
        raise ValueError(f"{text!a} cannot stand in a unit: it holds a character that is not printable")
    return text.replace("%", "%%")


def _word(text: str, *, command: bool = False) -> str:
    """Write one word of a list; in a command a dollar sign would name a variable."""
    quoted = _value(text).replace("\\", "\\\\").replace('"', '\\"')
    quoted = quoted.replace("$", "$$") if command else quoted
    return f'"{quoted}"' if re.search(r"[^A-Za-z0-9_@%+=:,./$-]", quoted) else quoted


def _how(manager: Manager, name: str) -> str:
    if manager is Manager.SYSTEM:
        return (
            f"#   sudo cp {name} /etc/systemd/system/\n"
            "#   sudo systemctl daemon-reload\n"
            f"#   sudo systemctl enable --now {name}\n"
            "#\n"
            f"# Look at it:  systemctl status {name}; journalctl -u {name}\n"
        )
    return (
        "#   mkdir -p ~/.config/systemd/user\n"
        f"#   cp {name} ~/.config/systemd/user/\n"
        "#   systemctl --user daemon-reload\n"
        f"#   systemctl --user enable --now {name}\n"
        "#   loginctl enable-linger        # else it ends with your last session, and starts with the next\n"
        "#\n"
        f"# Look at it:  systemctl --user status {name}; journalctl --user -u {name}\n"
    )


_TEMPLATE = """\
# The worker of an opconsole workspace as a service of systemd. To put it in place:
#
{how}#
# End a worker that runs already first: opconsole worker --stop. There is one worker for each workspace.

[Unit]
Description=opconsole worker of {title}
{network}# Five starts within five minutes that fail are enough: then it stays down and says so.
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
# The worker says when it hosts the workspace; until then the service is "activating".
Type=notify
NotifyAccess=main
{runs_as}WorkingDirectory={folder}
ExecStart={command}
{environment}# Secrets that the settings name as env:NAME: lines NAME=value, chmod 600. "-": may be missing.
EnvironmentFile=-{secrets}

# TERM goes to the worker alone. What a deployment runs goes on, and the next worker adopts it: a deployment
# outlives a restart of this service. Any other KillMode would cut deployments off halfway.
KillMode=process
KillSignal=SIGTERM
TimeoutStartSec=300
TimeoutStopSec=60

Restart=on-failure
RestartSec=2
# Wrong settings do not mend themselves.
RestartPreventExitStatus=2
# A program of a deployment that runs out of memory is that deployment's failure; it does not end the worker.
OOMPolicy=continue

# No core dumps: they would hold secrets.
LimitCORE=0
# Deployments inherit all that is forbidden here, so nothing is forbidden that they may need. Take "# " away
# from what yours can do without. No sudo and no setuid program:
# NoNewPrivileges=yes
# Nothing below /usr, /boot and /etc is changed:
# ProtectSystem=full
# Never PrivateTmp: a restarted worker could not find what a running step left in /tmp.

[Install]
WantedBy={target}
"""
