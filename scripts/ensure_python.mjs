// Sets up the Python in which the real PyTorch, PEFT and TRL answer to the interop tests.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, isDebianRoot, repository } from "./install.mjs";

const REQUIREMENTS = join(repository, "test", "interop", "requirements.txt");
const ENVIRONMENT = join(repository, ".venv");
const ENVIRONMENT_PYTHON = join(ENVIRONMENT, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));

/** Exit status 0 where every "name==version" of the arguments is installed; a local build ("2.13.0+cpu") is the version it was built from. */
const HAS_PINS = `
import importlib.metadata as m, sys
try:
    sys.exit(any(m.version(n).split("+")[0] != v for n, v in (pin.split("==") for pin in sys.argv[1:])))
except m.PackageNotFoundError:
    sys.exit(1)`;

const CAN_BEGIN = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/**
 * A Python that has the pinned packages already: that of ERRATA_PYTHON, the project's environment, or the one on the path.
 * @returns {string | null}
 */
export function findPython() {
  const named = process.env.ERRATA_PYTHON;
  const places = [...(named ? [named] : []), ENVIRONMENT_PYTHON, "python3", "python"];
  return places.find((python) => runs(python, ["-c", HAS_PINS, ...pins()])) ?? null;
}

/**
 * A Python with the pinned packages; where none has them they are installed once, into .venv/ of the project.
 * @returns {string | null} null where there is no Python 3.10 or newer with venv to begin with, and none can be had
 * @throws {Error} one sentence, when the packages cannot be installed
 */
export function ensurePython() {
  const found = findPython();
  if (found) return found;
  if (!findBase() && isDebianRoot()) aptInstall(["python3", "python3-venv"]);
  const base = findBase();
  if (!base) return null;
  console.log("Installing PyTorch, PEFT and TRL into .venv (pip) ...");
  const steps = [
    { python: base, args: ["-m", "venv", "--clear", ENVIRONMENT] },
    { python: ENVIRONMENT_PYTHON, args: ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS] },
  ];
  const installed = steps.every(({ python, args }) => spawnSync(python, args, { cwd: repository, stdio: "inherit" }).status === 0);
  if (installed && runs(ENVIRONMENT_PYTHON, ["-c", HAS_PINS, ...pins()])) return ENVIRONMENT_PYTHON;
  throw new Error(
    "The interop tests' Python packages could not be installed: see what pip says above (Python's venv and a network are needed), or name in ERRATA_PYTHON a Python that has test/interop/requirements.txt.",
  );
}

/** A Python that can make an environment. */
function findBase() {
  return ["python3", "python"].find((python) => runs(python, ["-c", CAN_BEGIN]));
}

/** The requirements without comments: "torch==2.13.0". */
function pins() {
  return readFileSync(REQUIREMENTS, "utf8")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/**
 * @param {string} python
 * @param {string[]} args
 */
function runs(python, args) {
  if (python === ENVIRONMENT_PYTHON && !existsSync(python)) return false;
  return spawnSync(python, args, { stdio: "ignore" }).status === 0;
}
