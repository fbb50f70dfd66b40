"""Signatures of approvals: made by ssh-keygen with real keys, and refused wherever they prove too little."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from guardrails.approving import Subject, Verdict
from opconsole.signing import (
    NAMESPACE,
    SignatureRefusedError,
    Signers,
    SigningError,
    SigningKey,
    find_key,
    read_lines,
    sign,
    statement,
    verify,
)

SUBJECT = Subject("a-1", "sha256:" + "0" * 64, "r-1", 1, "shop", "production")
ENVIRON = {"PATH": os.environ["PATH"]}


def text_of(subject: Subject = SUBJECT, reason: str = "looked at it") -> str:
    return statement("journal-1", subject, Verdict.APPROVE, reason)


@pytest.fixture
def signed(keys) -> Callable[..., str]:
    def make(name: str, text: str | None = None) -> str:
        return sign(text or text_of(), SigningKey(keys.key(name)), environ=ENVIRON, ask=False)

    return make


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., object]:
    def look(signature: str, *allowed: str, revoked: tuple[str, ...] = (), text: str | None = None) -> object:
        signers = Signers(allowed, revoked)
        return verify(text or text_of(), signature, signers, environ=ENVIRON, folder=tmp_path / "private")

    return look


def test_a_signature_says_who_signed(keys, signed, check):
    signer = check(signed("ada"), keys.line("ada"), keys.line("bob"))
    assert signer.names == ("ada",)
    assert signer.key.startswith("SHA256:")


def test_a_key_may_stand_for_several_names(keys, signed, check):
    assert check(signed("ada"), keys.line("ada", principals="ada,ada@example.org")).names == (
        "ada",
        "ada@example.org",
    )


def test_a_pattern_names_nobody(keys, signed, check):
    with pytest.raises(SignatureRefusedError):
        check(signed("ada"), keys.line("ada", principals="*"))


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ('valid-before="20200101"', "has expired"),
        ('valid-after="20900101"', "is not valid yet"),
        ('namespaces="git"', "not allowed to sign in the namespace"),
    ],
)
def test_a_key_that_may_not_sign_now_or_here_is_refused(keys, signed, check, option, why):
    with pytest.raises(SignatureRefusedError, match=why):
        check(signed("ada"), keys.line("ada", option))


def test_a_revoked_key_is_refused(keys, signed, check):
    with pytest.raises(SignatureRefusedError, match="is revoked"):
        check(signed("ada"), keys.line("ada"), revoked=(keys.public("ada"),))
    assert check(signed("ada"), keys.line("ada"), revoked=(keys.public("bob"),)).names == ("ada",)


def test_a_stranger_is_refused(keys, signed, check):
    with pytest.raises(SignatureRefusedError, match="not among the allowed signers"):
        check(signed("eve"), keys.line("ada"))


def test_a_signature_for_something_else_is_refused(keys, tmp_path, check):
    file = tmp_path / "text"
    file.write_text(text_of())
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(keys.key("ada")), "-n", "git", str(file)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(SignatureRefusedError, match="is for 'git'"):
        check(file.with_suffix(".sig").read_text(), keys.line("ada"))


@pytest.mark.parametrize(
    "other",
    [
        text_of(replace(SUBJECT, run="r-2")),
        text_of(replace(SUBJECT, attempt=2)),
        text_of(replace(SUBJECT, environment="staging")),
        text_of(replace(SUBJECT, digest="sha256:" + "1" * 64)),
        text_of(replace(SUBJECT, approval="a-2")),
        text_of(reason="another reason"),
        statement("journal-2", SUBJECT, Verdict.APPROVE, "looked at it"),
        statement("journal-1", SUBJECT, Verdict.REJECT, "looked at it"),
    ],
)
def test_a_signature_over_anything_else_is_refused(keys, signed, check, other):
    with pytest.raises(SignatureRefusedError, match="not over this request"):
        check(signed("ada", other), keys.line("ada"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "-----BEGIN SSH SIGNATURE-----\n!!\n-----END SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\n" + "A" * 100_000 + "\n-----END SSH SIGNATURE-----",
    ],
)
def test_what_is_no_signature_is_refused(keys, check, text):
    with pytest.raises(SignatureRefusedError, match="no SSH signature"):
        check(text, keys.line("ada"))


def test_nothing_is_left_in_the_private_folder(keys, signed, check, tmp_path):
    check(signed("ada"), keys.line("ada"))
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "private").iterdir()) == []


def test_a_key_in_an_agent_signs_by_its_public_half(keys, check, tmp_path):
    private = keys.key("ada")
    started = subprocess.run(
        ["ssh-agent", "-a", str(tmp_path / "agent"), "-s"], check=True, capture_output=True, text=True
    )
    agent = started.stdout.split("SSH_AGENT_PID=")[1].split(";")[0]
    environ = {**ENVIRON, "SSH_AUTH_SOCK": str(tmp_path / "agent"), "SSH_AGENT_PID": agent}
    try:
        subprocess.run(["ssh-add", "-q", str(private)], check=True, env=environ, capture_output=True)
        public = private.with_name("ada.pub").rename(tmp_path / "only.pub")
        private.unlink()
        signature = sign(text_of(), SigningKey(public), environ=environ, ask=False)
    finally:
        subprocess.run(["ssh-agent", "-k"], check=True, env=environ, capture_output=True)
    kind, key, *_ = public.read_text().split()
    assert check(signature, f"ada {kind} {key}").names == ("ada",)


def test_a_key_that_wants_a_passphrase_asks_nobody_unless_it_may(tmp_path):
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(SigningError, match="could not sign"):
        sign(text_of(), SigningKey(tmp_path / "locked"), environ=ENVIRON, ask=False)


def test_the_key_is_the_options_then_the_variables_then_gits(keys, tmp_path):
    config = tmp_path / "gitconfig"
    config.write_text(f"[gpg]\nformat = ssh\n[user]\nsigningkey = {keys.key('git')}\n")
    git = {**ENVIRON, "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_SYSTEM": os.devnull}
    variable = {**git, "OPCONSOLE_SIGNING_KEY": str(keys.key("variable"))}
    assert find_key(str(keys.key("option")), variable).path == keys.key("option")
    assert find_key(None, variable).path == keys.key("variable")
    assert find_key(None, git).path == keys.key("git")


def test_without_a_key_it_says_how_to_name_one(tmp_path):
    nothing = {**ENVIRON, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    with pytest.raises(SigningError, match="--key FILE or in OPCONSOLE_SIGNING_KEY"):
        find_key(None, nothing)
    with pytest.raises(SigningError, match="is not there"):
        find_key(str(tmp_path / "missing"), nothing)


def test_a_hardware_key_is_known_by_its_public_half(tmp_path):
    (tmp_path / "id_sk").write_text("private")
    (tmp_path / "id_sk.pub").write_text("sk-ssh-ed25519@openssh.com AAAA ada\n")
    assert find_key(str(tmp_path / "id_sk"), ENVIRON).hardware


def test_comments_and_empty_lines_of_key_files_are_left_out(tmp_path):
    (tmp_path / "file").write_text("# people\n\nada ssh-ed25519 AAAA\n")
    assert read_lines(tmp_path / "file") == ("ada ssh-ed25519 AAAA",)


def test_the_namespace_is_ours():
    assert NAMESPACE == "approval@opconsole"
