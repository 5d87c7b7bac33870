"""Generates the Python of the protos, or proves that the committed files are what the generator makes."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.lib import proto_comments, proto_rules

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", proto_comments.SUFFIX)
COMMAND = "./scripts/gen_protos"


class GeneratorMissing(RuntimeError):
    """The pinned generator is not installed in this Python."""


def google_protos() -> Path:
    """Folder with google/api and google/rpc, of the installed googleapis-common-protos."""
    spec = importlib.util.find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        raise GeneratorMissing("googleapis-common-protos is not installed")
    return Path(next(iter(spec.submodule_search_locations))).parent.parent


def generate(target: Path) -> None:
    """Write the generated files under `target`. Raises GeneratorMissing, or RuntimeError with what the compiler said."""
    if importlib.util.find_spec("grpc_tools") is None:
        raise GeneratorMissing("grpcio-tools is not installed: the pinned version has no wheels for this Python; use 3.11 … 3.13")
    described = target / "descriptors.binpb"
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    outputs += [f"--descriptor_set_out={described}", "--include_source_info"]
    sources = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{google_protos()}", *outputs, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    proto_comments.write_comments(described.read_bytes(), target)
    described.unlink()


def generated_files(folder: Path) -> dict[str, bytes]:
    """Generated files under `folder`, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.name.endswith(SUFFIXES)
    }


def differences() -> list[str]:
    """Tell which committed files are missing, outdated or left over; empty: all fresh."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        wanted = generated_files(Path(folder))
    present = generated_files(PROTOS)
    missing = [f"{name} is missing" for name in wanted.keys() - present.keys()]
    surplus = [f"{name} has no proto any more" for name in present.keys() - wanted.keys()]
    outdated = [f"{name} is outdated" for name in wanted.keys() & present.keys() if wanted[name] != present[name]]
    return sorted(missing + surplus + outdated)


def write() -> None:
    """Replace the committed files by fresh ones; those without a proto go."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        wanted = generated_files(Path(folder))
        for name in generated_files(PROTOS).keys() - wanted.keys():
            (PROTOS / name).unlink()
        for name in wanted:
            shutil.copyfile(Path(folder) / name, PROTOS / name)


def main() -> int:
    """Run as `scripts/gen_protos`."""
    parser = argparse.ArgumentParser(prog="gen_protos", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare only; fail if a file is not fresh")
    choice.add_argument("--accept", action="store_true", help="make today's contract the one that later ones must not break")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            faults = differences()
            print("\n".join([*faults, f"Run: {COMMAND}"]) if faults else "Generated code is fresh.")
            return 1 if faults else 0
        if arguments.accept:
            proto_rules.accept(PROTOS, google_protos())
            print(f"{proto_rules.BASELINE} now holds today's contract. Commit it, and say in the message what breaks for whom.")
            return 0
        write()
    except (GeneratorMissing, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
