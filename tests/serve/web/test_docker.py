"""The Dockerfile and the compose file, without Docker: what they ask for, and that the steps work on this machine.

What is shown: the RUN steps work from the copied files alone, in folders of their own, with this environment's
libraries instead of downloaded ones; the installed command then serves as another user, from a read-only file system
with nothing writable but /tmp. What is not shown: the base image, and that the libraries install there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
KEY = "k" * 24
USER = 10001


def steps() -> list[list[tuple[str, str]]]:
    """Instructions of each stage, comments and line ends taken away."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines())):
        word, rest = line.split(None, 1)
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def values(word: str) -> list[str]:
    return [rest for name, rest in steps()[-1] if name == word]


def test_the_image_is_small_and_its_user_is_nobody() -> None:
    build, last = steps()
    assert [word for word, _ in last].count("COPY") == 1 and values("COPY") == ["--from=build /opt/ifdl /opt/ifdl"]
    assert not values("RUN"), "nothing is installed where it runs"
    assert values("USER") == [f"{USER}:{USER}"]
    assert json.loads(values("HEALTHCHECK")[0].split("CMD", 1)[1])[0] == "python"
    installed = " ".join(rest for word, rest in build if word == "RUN")
    assert "dev" not in installed and "train" not in installed and "-e " not in installed


def test_only_what_is_needed_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    copied = {name.removeprefix("./") for word, rest in steps()[0] if word == "COPY" for name in rest.split()[:-1]}
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_compose_gives_as_little_as_possible() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["ifdl"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["tmpfs"] and service["mem_limit"] and service["pids_limit"] and "privileged" not in service
    assert not any("IFDL_API_KEY" in str(entry) for entry in service.get("environment", [])), "the key is a secret"


def test_the_steps_work_and_the_command_serves_from_a_read_only_system_without_rights() -> None:
    place = Path("/var/tmp") / f"ifdl-image-{os.getpid()}"  # another user may enter it, unlike tmp_path
    work, opt = place / "build", place / "opt"
    work.mkdir(parents=True)
    try:
        for word, rest in steps()[0]:
            if word == "COPY":
                *names, target = rest.split()
                for name in names:
                    _copy(ROOT / name, work / target / (name if target == "./" else ""))
            elif word == "RUN":
                command = rest.replace("/opt/ifdl", str(opt)).replace("python -m venv", f"{sys.executable} -m venv")
                subprocess.run(command, shell=True, cwd=work, check=True, timeout=300, env=_borrowing(place))
        asked = [opt / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = Path(subprocess.check_output(asked, text=True).strip())
        assert (site / "ifdl/serve/web/templates").is_dir() and list((site / "ifdl/weights").glob("*.onnx"))
        assert not (site / "pip").exists() and not (site / "pytest").exists()
        (site / "borrowed.pth").write_text(str(place / "lent"))
        _serves(opt, site, place / "lent")
    finally:
        shutil.rmtree(place)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(source, target)


def _borrowing(place: Path) -> dict[str, str]:
    """The steps' pip installs the package alone; setuptools, which builds it, is this environment's."""
    tools = place / "tools"
    if not tools.exists():
        tools.mkdir()
        for found in Path(sysconfig.get_path("purelib")).glob("*setuptools*"):
            (tools / found.name).symlink_to(found)
    return os.environ | {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PYTHONPATH": str(tools)}


def _serves(opt: Path, site: Path, lent: Path) -> None:
    """Start the container's command as its user, nothing writable but /tmp, and examine a picture with it.

    This environment's libraries show at `lent`: their own place may be closed to that user, or below the new /tmp.
    """
    port = 18000 + os.getpid() % 1000
    entry = json.loads(values("ENTRYPOINT")[0]) + json.loads(values("CMD")[0])
    entry = ["127.0.0.2" if part == "0.0.0.0" else str(port) if part == "8000" else part for part in entry]
    inside = shlex.join([str(opt / "bin" / entry[0]), *entry[1:]])
    able = os.geteuid() == 0 and shutil.which("setpriv") and subprocess.run(["unshare", "-m", "true"]).returncode == 0
    libraries = sysconfig.get_path("purelib")
    if able:
        lent.mkdir()
        confined = (
            f"mount --bind {libraries} {lent} && mount -t tmpfs none /tmp && {_readable(Path(sys.base_prefix))} "
            f"mount -o remount,bind,ro / && mount -o remount,bind,ro {lent} && cd /tmp"
        )
        confined += f" && ! touch {site}/written 2>/dev/null"
        rights = f"exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all"
        inside = f"{confined} && {rights} {inside}"
        command = ["unshare", "-m", "sh", "-c", inside]
    else:
        lent.symlink_to(libraries)
        command = ["sh", "-c", f"exec {inside}"]
    pairs = dict(pair.split("=", 1) for pair in shlex.split(values("ENV")[0]))
    environment = {"IFDL_API_KEY": KEY, **pairs, "PATH": f"{opt}/bin:/usr/bin:/bin"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            home = f"http://127.0.0.2:{port}"
            _wait(f"{home}/healthz", server)
            picture = (ROOT / "examples/untouched.jpg").read_bytes()
            asked = Request(f"{home}/v1/examine", picture, {"Authorization": f"Bearer {KEY}"})
            try:
                with urlopen(asked, timeout=180) as answer:
                    assert json.load(answer)["item"]["format"] == "JPEG"
            except HTTPError as error:
                pytest.fail(error.read().decode())
        finally:
            server.terminate()
            server.communicate(timeout=60)
    if not able:
        pytest.skip("the steps work and the command serves; only root, with unshare and setpriv, can confine it here")


def _readable(python: Path) -> str:
    """Steps that show the interpreter's folder alone where it lies in one that is closed to others, such as /root."""
    closed = [parent for parent in python.parents if not parent.stat().st_mode & 0o001]
    if not closed:
        return ""
    return (
        f"mkdir /tmp/python && mount --bind {python} /tmp/python && mount -t tmpfs none {closed[-1]} && "
        f"mkdir -p {python} && mount --move /tmp/python {python} &&"
    )


def _wait(url: str, server: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 180
    while True:
        try:
            urlopen(url, timeout=5).close()
            return
        except (URLError, OSError):
            assert server.poll() is None and server.stderr is not None, server.stderr.read()  # type: ignore[union-attr]
            assert time.monotonic() < until
            time.sleep(0.2)
