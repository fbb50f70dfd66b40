"""Signed approvals: what exactly is signed, how a person signs it, and how the worker proves who did.

``ssh-keygen`` does the cryptography, with the keys, agents and hardware that people have for it. A signature
is made in a namespace of our own and over a text that names one request of one journal, so that it is worth
nothing anywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from guardrails.approving import Subject, Verdict
from guardrails.sanitise import sanitise
from opconsole.plans import canonical

NAMESPACE = "approval@opconsole"
"""What our signatures are for; one made for git, a file or a mail is refused."""

PROGRAM = "ssh-keygen"
VERIFY_LIMIT = 20.0
"""Seconds for looking at one signature."""
SIGN_LIMIT = 180.0
"""Seconds in which a person types a passphrase or touches a key."""
LONGEST = 16 * 1024
"""Characters of a signature at most; the longest that ssh-keygen makes have about 4,000."""
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


class SigningError(Exception):
    """An approval could not be signed; the message says why and what to do."""


class SignatureRefusedError(Exception):
    """A signature does not prove what it should; the message says why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who gave a signature, as the allowed signers name them."""

    names: tuple[str, ...]
    """All names that the key stands for."""
    key: str
    """The key's fingerprint."""


@dataclass(frozen=True, slots=True)
class Signers:
    """Whose signatures count. Lines of the two files, not their paths: a file may have been changed since."""

    allowed: tuple[str, ...]
    revoked: tuple[str, ...] = ()


def statement(journal: str, subject: Subject, verdict: Verdict, reason: str) -> str:
    """Give the text that is signed: one line of canonical JSON, the same for whoever writes it."""
    return (
        canonical(
            {
                "opconsole": "approval 1",
                "journal": journal,
                "approval": subject.approval,
                "plan": subject.digest,
                "run": subject.run,
                "attempt": subject.attempt,
                "project": subject.project,
                "environment": subject.environment,
                "verdict": verdict.value,
                "reason": reason,
            }
        )
        + "\n"
    )


# -- signing: in the session of the person ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that a person signs with: a private key's file, or a public one whose key an agent holds."""

    path: Path
    hardware: bool = False
    """It wants to be touched."""


def find_key(option: str | None, environ: Mapping[str, str]) -> SigningKey:
    """Find the person's key: *option*, else OPCONSOLE_SIGNING_KEY, else git's ``user.signingkey``.

    Raises SigningError where none is named or the file is not there.
    """
    named = option or environ.get("OPCONSOLE_SIGNING_KEY", "").strip() or _gits_key(environ)
    if not named:
        raise SigningError(
            "this approval must be signed and no key is known: name one with --key FILE or in "
            "OPCONSOLE_SIGNING_KEY (a public key's file is enough where an agent holds it)"
        )
    path = Path(named).expanduser()
    if not path.is_file():
        raise SigningError(f"the signing key {sanitise(str(path), single_line=True)} is not there")
    return SigningKey(path.absolute(), hardware=_is_hardware(path))


def sign(text: str, key: SigningKey, *, environ: Mapping[str, str], ask: bool) -> str:
    """Sign *text* with ssh-keygen and give the signature. Blocks.

    With *ask* the program has the terminal and may ask for a passphrase or a touch; without, it fails where
    it would have to. Raises SigningError.
    """
    argv = [_program(environ), "-Y", "sign", "-q", "-f", str(key.path), "-n", NAMESPACE]
    variables = {**environ, "LC_ALL": "C"}
    if not ask:
        variables |= {"SSH_ASKPASS_REQUIRE": "never"}
    with tempfile.TemporaryDirectory(prefix="opconsole-sign-") as folder:
        file = Path(folder) / "approval"
        file.write_text(text, "utf-8")
        try:
            done = subprocess.run(
                [*argv, str(file)],
                env=variables,
                stdin=None if ask else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if ask else subprocess.PIPE,
                start_new_session=not ask,  # without a terminal of its own it can ask nobody
                timeout=SIGN_LIMIT if ask else VERIFY_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SigningError("nobody answered ssh-keygen in time; nothing was signed") from None
        signature = file.with_name("approval.sig")
        if done.returncode != 0 or not signature.is_file():
            said = sanitise((done.stderr or b"").decode("utf-8", "replace").strip(), single_line=True)
            raise SigningError(f"ssh-keygen could not sign{f': {said}' if said else ''}; nothing was sent")
        return signature.read_text("ascii")


def _gits_key(environ: Mapping[str, str]) -> str:
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return ""
    found = [
        subprocess.run(
            [git, "config", "--get", name],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERIFY_LIMIT,
            check=False,
        ).stdout.strip()
        for name in ("gpg.format", "user.signingkey")
    ]
    # A key for GPG is of no use here, and one that is written out has no file.
    return found[1] if found[0] == "ssh" and not found[1].startswith(("ssh-", "key::")) else ""


def _is_hardware(path: Path) -> bool:
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        with public.open("rb") as file:
            return file.read(3) == b"sk-"
    except OSError:
        return False


# -- verifying: in the worker --------------------------------------------------------------------------------


def verify(
    text: str,
    signature: str,
    signers: Signers,
    *,
    environ: Mapping[str, str],
    folder: Path,
    at: datetime | None = None,
) -> Signer:
    """Prove that one of *signers* signed *text*, and say who. Blocks.

    Keys must be valid *at* a moment; None: now, by the machine's clock. The files that ssh-keygen reads are
    written into a private folder below *folder*. Raises SignatureRefusedError, with the reason in words.
    """
    seal = read_signature(signature)
    if seal.namespace != NAMESPACE:
        raise SignatureRefusedError(
            f"the signature is for {sanitise(seal.namespace, single_line=True)!a}, not for {NAMESPACE}: "
            "it was made for something else"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verify-", dir=folder) as private:
        # Times in the file of signers without a zone are local ones, so the zone is the worker's.
        zone = {"TZ": environ["TZ"]} if environ.get("TZ") else {}
        variables = {"PATH": os.defpath, "LC_ALL": "C", **zone}
        desk = _Desk(Path(private), text, _program(environ, refused=True), variables, at)
        desk.put(signature, signers)
        names = desk.names()
        if not any(desk.good(name) for name in names):
            raise SignatureRefusedError(desk.fault(seal, signers))
        if signers.revoked and not any(desk.good(name, revoked=True) for name in names):
            raise SignatureRefusedError(f"the key {seal.key} is revoked")
    return Signer(names, seal.key)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a signature says of itself, before anything is proved."""

    namespace: str
    key: str
    """The fingerprint of the key that it says it was made with."""
    blob: str
    """That key, as key files have it."""


def read_signature(text: str) -> Seal:
    """Read a signature's outside. Raises SignatureRefusedError where it is none."""
    lines = text.strip().splitlines()
    if len(text) > LONGEST or len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise SignatureRefusedError("this is no SSH signature")
    try:
        raw = base64.b64decode("".join(lines[1:-1]), validate=True)
        if raw[:6] != b"SSHSIG" or struct.unpack(">I", raw[6:10]) != (1,):
            raise SignatureRefusedError("this is no SSH signature that is known here")
        key, rest = _text(raw[10:])
        namespace, _ = _text(rest)
        digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
        return Seal(namespace.decode("utf-8"), f"SHA256:{digest}", base64.b64encode(key).decode())
    except (ValueError, struct.error) as error:
        raise SignatureRefusedError("this is no SSH signature") from error


def _text(raw: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack(">I", raw[:4])
    if length > len(raw) - 4:
        raise ValueError("cut off")
    return raw[4 : 4 + length], raw[4 + length :]


@dataclass(slots=True)
class _Desk:
    """One signature being looked at, with its files."""

    folder: Path
    text: str
    program: str
    variables: Mapping[str, str]
    at: datetime | None = None
    said: list[str] = field(default_factory=list)

    def put(self, signature: str, signers: Signers) -> None:
        self._write("allowed", "\n".join(signers.allowed) + "\n")
        self._write("revoked", "\n".join(signers.revoked) + "\n")
        self._write("signature", signature)

    def names(self) -> tuple[str, ...]:
        """Give the names that the signature's key stands for; never a pattern, which names nobody."""
        argv = ["-Y", "find-principals", *self._when(), "-f", self._at("allowed")]
        found = self._run(*argv, "-s", self._at("signature"))
        names = [name for line in found.splitlines() for name in line.split(",")]
        return tuple(name for name in names if name and not set(name) & set("*?!"))

    def good(self, name: str, *, revoked: bool = False) -> bool:
        argv = ["-Y", "verify", *self._when(), "-f", self._at("allowed"), "-I", name, "-n", NAMESPACE]
        argv += ["-s", self._at("signature")]
        return bool(self._run(*argv, *(("-r", self._at("revoked")) if revoked else ())))

    def fault(self, seal: Seal, signers: Signers) -> str:
        """Say why the signature is refused, as far as ssh-keygen told."""
        said = " ".join(self.said)
        if not any(seal.blob in line for line in signers.allowed):
            return f"the key {seal.key} is not among the allowed signers"
        if "expired" in said:
            return f"the key {seal.key} has expired: its valid-before is over"
        if "not yet valid" in said:
            return f"the key {seal.key} is not valid yet: its valid-after is to come"
        if "not permitted" in said:
            return f"the key {seal.key} is not allowed to sign in the namespace {NAMESPACE}"
        if "incorrect signature" in said:
            return (
                "the signature is not over this request: it was given for another run, environment, attempt, "
                "plan or reason"
            )
        return f"the signature could not be verified: {sanitise(said, single_line=True) or 'no reason given'}"

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self.program, *arguments],
                input=self.text.encode(),
                capture_output=True,
                env=self.variables,
                timeout=VERIFY_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SignatureRefusedError("ssh-keygen did not answer in time") from None
        self.said.append(done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""

    def _when(self) -> tuple[str, ...]:
        return () if self.at is None else (f"-Overify-time={self.at.astimezone(UTC):%Y%m%d%H%M%S}Z",)

    def _write(self, name: str, text: str) -> None:
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor, made exclusively)
            file.write(text)

    def _at(self, name: str) -> str:
        return str(self.folder / name)


def _program(environ: Mapping[str, str], *, refused: bool = False) -> str:
    found = shutil.which(PROGRAM, path=environ.get("PATH") or os.defpath)
    if found is None:
        text = "ssh-keygen is not there: install OpenSSH's client programs"
        raise SignatureRefusedError(text) if refused else SigningError(text)
    return found


def read_lines(path: Path) -> tuple[str, ...]:
    """Give the lines of a file of keys, comments and empty ones left out. Raises OSError, ValueError."""
    text = path.read_text("utf-8")
    lines: Sequence[str] = [line.strip() for line in text.splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))
