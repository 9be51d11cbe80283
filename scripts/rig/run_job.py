# SPDX-License-Identifier: BSD-2-Clause
"""
Runs a job file of efi-img in a virtual machine, from files to files: for CI, and to try a job
before it is taken to a machine.

It makes a stick with efi-img and the given files, boots it in QEMU with the given disks, runs the
job (help: efi-img help run), and when the machine is off copies what is on the stick then, with the
log of the job, to the folder of --out. Where the job does not say how it ends, the machine is
switched off. What is printed in the machine is printed here.

How long each command took is printed to standard error; with --quiet, only why a job has failed.
The exit status is that of the job: 0, or the exit code of the command that ended it; 124 if it took
too long, and 125 if something else went wrong. Only git and make have to be there; what else is
missing is installed with apt-get.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rig import disks
from rig.machine import LOOK_SECONDS, Drive, Machine, MachineFailure, MachineSlow

SCRIPTS = Path(__file__).resolve().parents[1]
ROOT = SCRIPTS.parent
PROGRAM = ROOT / "build" / "x86_64" / "efi-img.efi"
PORT = "isa-debug-exit,iobase=0xf4,iosize=0x04"
EVENTS = "isa-debugcon,iobase=0xe9,chardev=events"
DONE = 33  # what QEMU ends with when efi-img says 0 there; 2 more for each 1 more
TOO_LONG, FAILED = 124, 125


class Failure(Exception):
    """Words for a person."""


def arguments():
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog="run-job",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="JOB", help="the job file; - reads it from standard input")
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE[=NAME]",
        action="append",
        default=[],
        help="a file or folder that is put on the stick, into its root; may be repeated",
    )
    parser.add_argument(
        "-d",
        "--disk",
        metavar="FILE[,serial=S][,bus=B][,block=N][,read-only]",
        action="append",
        default=[],
        help="a raw image that is a disk of the machine, and is changed by what the job writes to "
        "it; bus: nvme (default), ahci, usb, virtio-blk, virtio-scsi; block: bytes of a sector; "
        "may be repeated",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="FOLDER",
        default="run-job.out",
        help="where the files go; new, or empty (default: run-job.out)",
    )
    parser.add_argument(
        "-s",
        "--size",
        metavar="MIB",
        type=int,
        default=1024,
        help="size of the stick, at least 128 (default: 1024)",
    )
    parser.add_argument(
        "-m",
        "--memory",
        metavar="MIB",
        type=int,
        default=512,
        help="memory of the machine (default: 512)",
    )
    parser.add_argument(
        "-p", "--processors", metavar="N", type=int, default=1, help="its processors (default: 1)"
    )
    parser.add_argument(
        "-k",
        "--kvm",
        action="store_true",
        help="let the processor run it (/dev/kvm), which is faster; it does not work everywhere",
    )
    parser.add_argument(
        "-t",
        "--timeout",
        metavar="SECONDS",
        type=int,
        default=900,
        help="how long it may take (default: 900)",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not show what the machine prints"
    )
    return parser.parse_args()


def make_program():
    if subprocess.run(["make", "-s", "-C", str(ROOT), "program"], stdout=sys.stderr).returncode:
        raise Failure("make has failed, see above")


def job_text(name):
    """The job, with an ending where it has none."""
    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    text = content.decode("utf-16" if content.startswith(b"\xff\xfe") else "utf-8-sig")
    said = {line.split()[0] for line in text.splitlines() if line.strip()}
    for word, line in (
        ("exit-code", "exit-code"),
        ("on-success", "on-success poweroff"),
        ("on-failure", "on-failure poweroff"),
    ):
        if word not in said:
            text = text.rstrip("\n") + f"\n{line}\n"
    return text.encode()


def drive_of(text):
    name, *facts = text.split(",")
    drive = Drive("nvme", Path(name).resolve())
    for fact in facts:
        key, _, value = fact.partition("=")
        if key == "read-only" and not value:
            drive.read_only = True
        elif key == "serial":
            drive.serial = value
        elif key == "block" and value.isdecimal():
            drive.block = int(value)
        elif key == "bus" and value in ("nvme", "ahci", "usb", "virtio-blk", "virtio-scsi"):
            drive.bus = value
        else:
            raise Failure(f"--disk {text}: {fact} is none of serial=, bus=, block=, read-only")
    if drive.bus == "virtio-blk" and drive.serial:
        raise Failure(
            f"--disk {text}: the firmware has no serial numbers for disks of virtio-blk; choose "
            "another bus, or leave out serial= and name the disk by path="
        )
    if not drive.image.is_file():
        raise Failure(f"--disk {text}: {name} is not there")
    return drive


def put_files(stick, files):
    for text in files:
        name, _, wanted = text.partition("=")
        if not Path(name).exists():
            raise Failure(f"--file {text}: {name} is not there")
        disks.run(
            "mcopy",
            "-s",
            "-o",
            "-i",
            stick.drive,
            name,
            f"::/{wanted or Path(name).resolve().name}",
        )


def take_files(stick, folder):
    """What is on the stick, without efi-img itself."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stick.names():
        if name.upper() not in ("EFI", "EFI-IMG.EFI"):
            disks.run("mcopy", "-s", "-n", "-m", "-i", stick.drive, f"::/{name}", folder)


class Steps(threading.Thread):
    """
    Follows the events of the job while it runs: prints the time of each step, by the clock of this
    machine, since that of the virtual one may be slower, and keeps the last error.
    """

    def __init__(self, path, quiet):
        super().__init__(daemon=True)
        self.path, self.quiet = path, quiet
        self.ended = threading.Event()
        self.begin = time.monotonic()
        self.line = self.error = ""
        self.n_taken = 0

    def run(self):
        while not self.ended.wait(LOOK_SECONDS):
            self.look()

    def end(self):
        self.ended.set()
        self.join()
        self.look()

    def look(self):
        """Takes the events that are complete."""
        if self.path.exists():
            *lines, _ = self.path.read_bytes().split(b"\n")
            for line in lines[self.n_taken :]:
                self.take(json.loads(line))
            self.n_taken = len(lines)

    def take(self, event):
        now = time.monotonic()
        if event["event"] in ("session", "start"):
            self.line = event.get("line", "")
        if event["event"] == "session":
            self.say("the firmware has started", now)
        elif event["event"] == "result":
            code = event["exit"]
            self.say(f"{self.line}: {f'exit code {code}' if code else 'done'}", now)
            if code:
                self.error = f"{self.line}: exit code {code}: {event['message']}"
        elif event["event"] == "end" and event["message"]:
            self.error = event["message"]
        self.begin = now

    def say(self, words, now):
        if not self.quiet:
            print(f"run-job: {now - self.begin:.1f} s: {words}", file=sys.stderr)


def boot(options, drives, work, steps):
    """The exit status of QEMU."""
    machine = Machine(
        work / "machine",
        drives,
        memory=options.memory,
        processors=options.processors,
        deadline=options.timeout,
        accelerator="kvm" if options.kvm else "tcg",
        live=None if options.quiet else sys.stdout,
        more=[
            *("-device", PORT, "-chardev", f"file,id=events,path={steps.path}", "-device", EVENTS),
            *("-fw_cfg", f"name=opt/org.efi-img/job,file={work / 'job.txt'}"),
        ],
    )
    with machine:
        steps.start()
        try:
            return machine.wait_off(status=None)
        finally:
            steps.end()


def run(options, drives):
    with tempfile.TemporaryDirectory(prefix="run-job.") as work:
        work = Path(work)
        (work / "job.txt").write_bytes(job_text(options.job))
        disks.run(SCRIPTS / "make-usb", "-s", options.size, PROGRAM, work / "stick.img")
        stick = disks.Volume(work / "stick.img", disks.MIB, (options.size - 2) * disks.MIB)
        put_files(stick, options.file)
        own = Drive("usb", stick.image, "RUN-JOB-STICK", first=True)
        steps = Steps(work / "events.jsonl", options.quiet)
        try:
            status = boot(options, [own, *drives], work, steps)
        finally:
            take_files(stick, Path(options.out))
            if steps.error:
                print(
                    f"run-job: {steps.error}\nrun-job: the log is in {options.out}/efi-img/logs",
                    file=sys.stderr,
                )
    if status is None or status < DONE or status % 2 == 0:
        raise Failure(
            f"the job has not come to its end: QEMU ended with {status}; "
            f"its files are in {options.out}"
        )
    return (status - DONE) // 2


def main():
    options = arguments()
    if Path(options.out).exists() and (
        not Path(options.out).is_dir() or any(Path(options.out).iterdir())
    ):
        raise Failure(
            f"--out {options.out}: there is something already; name a folder that is new or empty"
        )
    if options.size < 128:
        raise Failure(f"--size {options.size}: a stick has at least 128 MiB")
    drives = [drive_of(text) for text in options.disk]
    make_program()
    try:
        return run(options, drives)
    except MachineSlow:
        print(
            f"\nrun-job: no end after {options.timeout} seconds; "
            f"what there is of its files is in {options.out}",
            file=sys.stderr,
        )
        return TOO_LONG
    except MachineFailure as failure:
        raise Failure(failure) from None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, RuntimeError, UnicodeDecodeError) as failure:
        print(f"\nrun-job: {failure}", file=sys.stderr)
        sys.exit(FAILED)
