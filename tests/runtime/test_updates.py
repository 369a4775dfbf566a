"""Installing models: what is verified and answers goes live, everything else leaves the live one alone."""

import base64
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from glyphlite.runtime import (
    ArtifactError,
    CardError,
    GlyphliteError,
    ModelError,
    Recognizer,
    UnknownModel,
    find_bundle,
)
from glyphlite.runtime import bundle as bundles
from glyphlite.runtime.bundle import installed_models, shipped_models
from glyphlite.runtime.cli import root as command
from glyphlite.runtime.files import sha256_file
from glyphlite.runtime.threads import cache_file
from glyphlite.runtime.updates import export, install, rollback


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where models are installed."""
    monkeypatch.setenv("GLYPHLITE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def version(tmp_path):
    """Makes a file of the shipped model, `digits-edge`, with a temperature by which versions are told apart."""

    def make(temperature, suffix=".zip", change=None):
        folder = tmp_path / f"v{temperature}" / "digits-edge"
        shutil.copytree(shipped_models()["digits-edge"], folder)
        card = json.loads((folder / "card.json").read_text())
        card["temperature"] = temperature
        if change:
            change(card, folder)
        (folder / "card.json").write_text(json.dumps(card))
        out = tmp_path / f"v{temperature}{suffix}"
        if change:  # as it is, right or wrong
            return shutil.make_archive(str(out.with_suffix("")), "zip", folder.parent)
        export(str(folder), out)
        return str(out)

    return make


def live():
    return find_bundle("digits-edge").card.temperature


def test_a_damaged_archive_is_named_whichever_byte_is_wrong(version, root, tmp_path):
    content = Path(version(1.5)).read_bytes()
    places = range(60, len(content), max(1, len(content) // 40))
    refused = 0
    for at in places:
        damaged = tmp_path / "damaged.zip"
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            install(str(damaged))
        except GlyphliteError as error:
            assert "damaged.zip" in str(error) or "digits-edge" in str(error)
            refused += 1
        else:  # a byte that means nothing, as of a time: what is live is whole
            assert live() == 1.5
    assert refused > 0.9 * len(places)


def test_a_rollback_after_the_way_back_to_the_shipped_model(version, root):
    for temperature in (1.5, 1.6):
        install(version(temperature))
    (root / "digits-edge").unlink()
    rollback("digits-edge")
    assert live() == 1.5
    with pytest.raises(UnknownModel, match="no version before this one"):
        rollback("digits-edge")
    assert live() == 1.5


def test_a_rollback_that_may_not_write_is_told(version, root):
    for temperature in (1.5, 1.6):
        install(version(temperature))
    (root / ".lock").unlink()
    (root / ".lock").mkdir()
    with pytest.raises(ModelError, match=r"\.lock: "):
        rollback("digits-edge")
    assert live() == 1.6


def test_a_home_that_may_not_be_looked_into_holds_no_models(monkeypatch):
    """As of a service whose HOME is another user's."""

    class Locked:
        def glob(self, pattern):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundles, "installed_folder", Locked)
    assert installed_models() == {}
    assert find_bundle("digits-edge").folder == shipped_models()["digits-edge"]


def test_without_a_home_in_the_environment_it_is_the_users(monkeypatch):
    """As of a system's service: not a folder of the root's."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "GLYPHLITE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert bundles.installed_folder() == home / ".local/share/glyphlite/models"
    assert cache_file() == home / ".cache/glyphlite/threads.json"


def test_a_bundles_file_becomes_live_and_is_found_by_name(root, version):
    shipped = live()
    done = install(version(1.25))
    assert done.name == "digits-edge"
    assert done.tested.samples == 14
    assert done.replaced is None
    assert live() == 1.25 != shipped
    assert Recognizer.load("digits-edge").card.temperature == 1.25
    assert done.folder.parent == root


def test_the_one_before_is_kept_and_comes_back(root, version):
    install(version(1.25))
    install(version(1.5, ".tar"))
    assert live() == 1.5
    rollback("digits-edge")
    assert live() == 1.25
    rollback("digits-edge")
    assert live() == 1.5
    install(version(1.75))
    assert (
        len([path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]) == 2
    )  # the live one and the one before
    with pytest.raises(UnknownModel, match="no version before"):
        rollback("digits-full")


def test_the_same_again_changes_nothing(root, version):
    file = version(1.25)
    assert install(file).folder == install(file).folder
    assert live() == 1.25


def test_the_same_bundle_is_the_same_file(version, tmp_path):
    version(1.25)
    assert export(str(tmp_path / "v1.25" / "digits-edge"), tmp_path / "again.zip") == sha256_file(
        tmp_path / "v1.25.zip"
    )
    assert export("digits-line", tmp_path / "line.tar") == sha256_file(tmp_path / "line.tar")
    with pytest.raises(ArtifactError, match=r"wanted a name that ends in \.zip or \.tar"):
        export("digits-edge", tmp_path / "out.rar")


def test_a_sha256_that_differs(root, version):
    file = version(1.25)
    with pytest.raises(ArtifactError, match=f"wanted {'0' * 64}"):
        install(file, sha256="0" * 64)
    install(file, sha256=hashlib.sha256(Path(file).read_bytes()).hexdigest().upper())


def unlabelled(card, folder):
    card["labels"] = card["labels"][1:] + card["labels"][:1]


def flipped(card, folder):
    path = folder / card["default"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def newer(card, folder):
    card["schema"] = 99


def renamed(card, folder):
    card["name"] = "../digits-edge"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (unlabelled, ArtifactError, "fails its self-test: 0 of 14 samples right"),
        (flipped, ArtifactError, "damaged: sha256"),
        (newer, CardError, "schema 99; this glyphlite reads up to"),
        (renamed, ModelError, r"name '../digits-edge'; wanted letters"),
    ],
)
def test_what_fails_never_goes_live(root, version, change, error, message):
    install(version(1.25))
    before = sorted(path.name for path in root.iterdir())
    with pytest.raises(error, match=message):
        install(version(1.5, change=change))
    assert live() == 1.25
    assert sorted(path.name for path in root.iterdir()) == before


def test_a_folder_with_samples_of_its_own_is_tried_on_them(root, version):
    def with_samples(card, folder):
        (folder / "samples").mkdir()
        shutil.copy(shipped_models()["digits-edge"].parent / "samples" / "4-pencil.png", folder / "samples")
        (folder / "samples" / "labels.csv").write_text("file,text\n4-pencil.png,7\n")

    with pytest.raises(ArtifactError, match=r"0 of 1 samples right \(4-pencil.png: 4, not 7\)"):
        install(version(1.25, change=with_samples))


def test_killed_while_it_installs_the_live_one_stays(root, version):
    install(version(1.25))
    file = version(1.5)
    code = (
        "import os; from glyphlite.runtime import updates\n"
        "updates._switch = lambda *_: os.kill(os.getpid(), 9)\n"
        f"updates.install({file!r})"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert live() == 1.25
    install(file)
    assert live() == 1.5
    assert not list(root.glob(".new-*"))  # nor does the dead one's work lie about


# --- archives of strangers -------------------------------------------------------------------------------------------


def zipped(tmp_path, **files):
    path = tmp_path / "strange.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "a/./../evil", "C:\\evil", "..", "b/.. /c"]
)
def test_a_name_that_leads_out_of_the_folder(root, tmp_path, name):
    with pytest.raises(ArtifactError, match="wanted names within its own folder"):
        install(str(zipped(tmp_path, **{name: b"x"})))
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_a_device(root, tmp_path, kind):
    with tarfile.open(tmp_path / "strange.tar", "w") as archive:
        member = tarfile.TarInfo("card.json")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ArtifactError, match=r"holds a link or device, 'card\.json'"):
        install(str(tmp_path / "strange.tar"))


def test_a_bomb(root, tmp_path, monkeypatch):
    monkeypatch.setattr("glyphlite.runtime.archive.MOST_BYTES", 1 << 20)
    with pytest.raises(ArtifactError, match="more than 1,048,576 bytes unpacked"):
        install(str(zipped(tmp_path, **{"card.json": bytes(1 << 21)})))
    with pytest.raises(ArtifactError, match="more than 1000 files"):
        install(str(zipped(tmp_path, **{f"{at}": b"" for at in range(1001)})))


def test_what_is_no_bundle(root, tmp_path):
    for name, content, message in (
        ("no.zip", b"hello" * 99, "no archive; wanted a bundle's .zip or .tar"),
        ("empty.zip", b"", "no archive"),
        ("cut.tar.gz", b"\x1f\x8b\x08" + bytes(99), "no archive|damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArtifactError, match=message):
            install(str(tmp_path / name))
    with pytest.raises(ArtifactError, match=r"0 of card\.json; wanted one"):
        install(str(zipped(tmp_path, readme=b"x")))
    with pytest.raises(ArtifactError, match=r"nowhere\.zip: no such file"):
        install(str(tmp_path / "nowhere.zip"))


# --- signatures and the network --------------------------------------------------------------------------------------


@pytest.fixture
def signer():
    """Signs as minisign does: (public key, function of a file)."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private, key_id = ed25519.Ed25519PrivateKey.generate(), os.urandom(8)

    def sign(file, comment="timestamp:1\tfile:v.zip"):
        signature = private.sign(hashlib.blake2b(Path(file).read_bytes()).digest())
        lines = [b"ED" + key_id + signature, private.sign(signature + comment.encode())]
        body, whole = (base64.b64encode(line).decode() for line in lines)
        text = f"untrusted comment: a test\n{body}\ntrusted comment: {comment}\n{whole}\n"
        Path(f"{file}.minisig").write_text(text)

    return base64.b64encode(b"Ed" + key_id + private.public_key().public_bytes_raw()).decode(), sign


def test_with_a_key_only_what_it_signed_is_installed(root, version, signer):
    key, sign = signer
    file = version(1.25)
    with pytest.raises(ArtifactError, match=r"\.minisig: missing; only what is signed is installed"):
        install(file, key=key)
    sign(file)
    install(file, key=key)
    root.joinpath("trusted.pub").write_text(f"untrusted comment: ours\n{key}\n")
    other = version(1.5)
    with pytest.raises(ArtifactError, match="missing"):
        install(other)
    shutil.copy(f"{file}.minisig", f"{other}.minisig")
    with pytest.raises(ArtifactError, match="is not of this file"):
        install(other)
    sign(other)
    signature = Path(f"{other}.minisig")
    signature.write_text(signature.read_text().replace("timestamp:1", "timestamp:2"))
    with pytest.raises(ArtifactError, match="is not of this file"):
        install(other)
    assert live() == 1.25


def test_a_key_that_leads_nowhere_lets_nothing_in(root, version):
    with pytest.raises(ModelError, match="the key is empty"):
        install(version(1.5), key="")
    root.mkdir(exist_ok=True)
    (root / "trusted.pub").symlink_to("not-mounted.pub")
    with pytest.raises(GlyphliteError, match="wanted minisign's, or the path of one"):
        install(version(1.6))
    assert not (root / "digits-edge").exists()


def test_a_key_that_is_none(root, version, tmp_path):
    with pytest.raises(ModelError, match="no public key"):
        install(version(1.25), key="letmein")


def test_minisigns_own_signature(root, version, tmp_path):
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed: apt-get install minisign")
    file, public, secret = version(1.25), str(tmp_path / "key.pub"), str(tmp_path / "key")
    subprocess.run(["minisign", "-G", "-W", "-p", public, "-s", secret], check=True, capture_output=True)
    subprocess.run(["minisign", "-S", "-s", secret, "-m", file], check=True, capture_output=True, input=b"\n")
    install(file, key=public)
    assert live() == 1.25


def test_from_a_url(root, version, tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    version(1.25)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1.25.zip"
    with pytest.raises(ModelError, match="wanted --sha256 or a --key"):
        install(url)
    with pytest.raises(ArtifactError, match="404"):
        install(url + "x", sha256="0" * 64)
    install(url, sha256=sha256_file(tmp_path / "v1.25.zip"))
    server.shutdown()
    server.server_close()
    assert live() == 1.25


def test_what_no_device_would_install_is_not_exported(tmp_path):
    folder = tmp_path / "my model"
    shutil.copytree(shipped_models()["digits-micro"], folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "name": "my model"}))
    with pytest.raises(ModelError, match="name 'my model'; wanted letters, digits"):
        export(str(folder), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_an_installed_model_takes_the_shipped_ones_place_as_a_partner_too(root, version):
    assert Recognizer.load("digits-line").partner.card.temperature != 0.5
    install(version(0.5))
    assert Recognizer.load("digits-line").partner.card.temperature == 0.5
    with pytest.raises(UnknownModel, match=r"no version before this one is installed in .*; without .* shipped one"):
        rollback("digits-edge")
    listed = CliRunner().invoke(command, ["models", "list"]).output.splitlines()
    assert [line.split()[0] for line in listed if line.endswith("installed")] == ["digits-edge"]


def test_a_training_run_is_no_bundle(tmp_path):
    """Its card has no artifact yet: a file of it would be refused by every device."""
    card = json.loads((shipped_models()["digits-edge"] / "card.json").read_text())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "card.json").write_text(json.dumps({**card, "artifacts": [], "default": None}))
    for use in (lambda: export(str(tmp_path / "run"), tmp_path / "x.zip"), lambda: Recognizer.load(tmp_path / "run")):
        with pytest.raises(ArtifactError, match="has no artifact; of a training run `glyphlite compress` makes some"):
            use()
    assert not (tmp_path / "x.zip").exists()


def test_the_commands(root, version, tmp_path):
    def run(*arguments):
        command = [Path(sys.executable).with_name("glyphlite"), "models", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert run("export", "digits-edge", "out.zip").stdout.endswith("  out.zip\n")
    done = run("install", "out.zip")
    assert (done.returncode, done.stdout.splitlines()[0].split(";")[0]) == (
        0,
        "digits-edge: live, in the place of the shipped one, 14 of 14 samples right",
    )
    install(version(1.25))
    assert run("rollback", "digits-edge").stdout.startswith("digits-edge: live; ")
    assert run("rollback", "nothing").returncode == 2
