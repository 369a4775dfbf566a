"""`glyphlite service`: a glyphlite command as a systemd service that may do little more than it has to."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from .cli import complain
from .cli import root as root_command
from .errors import GlyphliteError
from .files import write_bytes

UNITS = "etc/systemd/system"
NOTIFYING = ("serve", "watch")  # commands that tell systemd how they are, by heartbeat.py
HOMES = ("/home", "/root", "/run/user")  # what ProtectHome hides

# ProcSubset=pid is left out on purpose: the engines read /proc/cpuinfo.
UNIT = """[Unit]
Description=glyphlite {shown}
Wants=network-online.target
After=network-online.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type={type}
ExecStart={command}
Restart=always
RestartSec=5
TimeoutStartSec=5min
TimeoutStopSec=30
{watchdog}StandardOutput=journal
StandardError=journal
SyslogIdentifier={name}

DynamicUser=yes
StateDirectory={name}
CacheDirectory={name}
WorkingDirectory=%S/{name}
Environment=HOME=%S/{name} XDG_CACHE_HOME=%C/{name} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
UMask=0077

MemoryMax={memory}
TasksMax=64
OOMPolicy=stop

NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
{devices}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
NO_DEVICES = "PrivateDevices=yes\nPrivateUsers=yes"  # groups that open devices are none there
CAMERA = "DevicePolicy=closed\nDeviceAllow=char-video4linux rw\nDeviceAllow=char-media rw\nSupplementaryGroups=video"


def unit(name: str, command: list[str], memory: str, camera: bool) -> str:
    """The unit of a command: its program's path, then a glyphlite command and its arguments."""
    notifies = command[1] in NOTIFYING
    return UNIT.format(
        name=name,
        shown=command[1],
        type="notify" if notifies else "exec",
        command=" ".join(_quoted(word, is_program=not place) for place, word in enumerate(command)),
        watchdog="WatchdogSec=60\n" if notifies else "",
        memory=memory,
        devices=CAMERA if camera else NO_DEVICES,
    )


def _quoted(word: str, is_program: bool = False) -> str:
    """A word of ExecStart (systemd.service(5), command lines): % is doubled, and $ but in the program's own path."""
    word = word.replace("%", "%%")
    if not is_program:
        word = word.replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def program() -> Path:
    """Path of the `glyphlite` that runs."""
    path = Path(sys.argv[0])
    return path.absolute() if path.name == "glyphlite" else Path(sys.executable).with_name("glyphlite")


def check_reachable(command: list[str]) -> None:
    """GlyphliteError where the service could not see its own program or a file that it is given."""
    for word in command:
        value = word.partition("=")[2] if word.startswith("--") else word
        if value.startswith("/"):
            path = Path(value)
            for real in (path, path.resolve()):
                if any(real.is_relative_to(home) for home in HOMES):
                    raise GlyphliteError(
                        f"{real}: a service may not look into homes; wanted a place such as /opt/glyphlite or /etc"
                    )


def settled(command: Sequence[str]) -> list[str]:
    """A glyphlite command with the files that it names by their whole paths: the service works in another folder.

    Raises GlyphliteError where glyphlite has no such command.
    """
    known = root_command.list_commands(click.Context(root_command))
    if command[0] not in known:
        raise GlyphliteError(f"{command[0]!r}: no command of glyphlite's; wanted one of {', '.join(known)}")
    return [_whole(word) for word in command]


def _whole(word: str) -> str:
    """A word of a command, of a file, of a folder below or elsewhere, or of an option with one, its whole path."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    path = Path(value)
    is_path = not value.startswith("-") and path.exists() and (os.sep in value or (path.suffix and path.is_file()))
    return f"{option}{equals}{path.absolute()}" if is_path else word


def systemctl(*words: str, check: bool = True) -> int:
    """Run systemctl; GlyphliteError where it is missing or fails."""
    tool = shutil.which("systemctl")
    if tool is None or not Path("/run/systemd/system").is_dir():
        raise GlyphliteError("no systemd runs here; wanted one, or --root DIR to only write the unit")
    code = subprocess.run([tool, *words], check=False).returncode
    if code and check:
        raise GlyphliteError(f"systemctl {shlex.join(words)} failed; journalctl tells more")
    return code


def _unit_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", value):
        raise click.BadParameter(f"{value!r}; wanted small letters, digits and dashes")
    return value


name_option = click.option(
    "--name", default="glyphlite", show_default=True, callback=_unit_name, help="Of the service; one for each command."
)
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write below DIR instead, for an image of a system; systemd is told nothing.",
)


@click.group()
def service() -> None:
    """Run a command as a systemd service: from boot on, started again when it fails, logging to the journal."""


@service.command(context_settings={"ignore_unknown_options": True})
@name_option
@root_option
@click.option("--memory", default="400M", show_default=True, help="At most; the service is started again over it.")
@click.option("--camera", is_flag=True, help="Let it use cameras.")
@click.option("--print", "only_print", is_flag=True, help="Print the unit; write nothing.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
def install(
    name: str, root: Path | None, memory: str, camera: bool, only_print: bool, command: tuple[str, ...]
) -> None:
    """Install COMMAND (default: serve) as a service, and start it.

    `glyphlite service install -- serve --host 0.0.0.0` listens on every network.
    """
    if not re.fullmatch(r"[1-9]\d*[KMG]?", memory):
        raise click.UsageError(f"--memory {memory}: wanted a number of bytes such as 400M")
    words = [str(program()), *settled(command or ("serve",))]
    check_reachable(words[1:])
    text = unit(name, words, memory, camera)
    if only_print:
        click.echo(text, nl=False)
        return
    path = _path(name, root)
    if root is None:
        check_reachable(words)
        systemctl("--version")
    _as_root(lambda: write_bytes(path, text.encode()), path)
    click.echo(f"wrote {path}")
    if root is None:
        systemctl("daemon-reload")
        systemctl("enable", "--now", f"{name}.service")
        click.echo(f"started {name}; its log: journalctl -u {name} -f")


@service.command()
@name_option
def status(name: str) -> int:
    """How the service does; exit code 2 where it does not run."""
    return 2 if systemctl("status", "--no-pager", "--lines=5", f"{name}.service", check=False) else 0


@service.command()
@name_option
@root_option
def remove(name: str, root: Path | None) -> None:
    """Stop the service and take its unit away.  What it kept in /var/lib stays."""
    path = _path(name, root)
    if not path.exists():
        raise GlyphliteError(f"{path}: no such service; wanted one that `service install` made")
    if root is None:
        systemctl("disable", "--now", f"{name}.service")
    _as_root(path.unlink, path)
    if root is None:
        systemctl("daemon-reload")
    click.echo(f"removed {path}")
    if (state := Path("/var/lib") / name).exists() and root is None:
        complain(f"{state} is kept; remove it where it is not wanted")


def _path(name: str, root: Path | None) -> Path:
    return (root or Path("/")) / UNITS / f"{name}.service"


def _as_root(action: Callable[[], object], path: Path) -> None:
    try:
        action()
    except OSError as error:
        hint = "; wanted root: sudo" if os.geteuid() else ""
        raise GlyphliteError(f"{path}: cannot be changed ({error.strerror or error}){hint}") from None
