# SPDX-License-Identifier: BSD-2-Clause
"""
QEMU with OVMF: a machine of any disks, its screen as plain text, its keyboard and its power switch.

Nothing here waits for host time to pass. Every wait ends with something observable: text on the
screen, a Gate that is reached, or an answer of QEMU's monitor. The one limit, HANG_SECONDS for the
whole life of a machine, only ends what hangs, and is far above what a slow and busy host needs.
"""

import json
import os
import re
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pexpect

from .boards import PC
from .gate import Gate
from .terminal import Terminal

HANG_SECONDS = 1200
CRAWL_SECONDS = {False: 0.1, True: 0.02}  # for which a Gate holds a request; by skips_idle
LOOK_SECONDS = 0.1  # between two looks at a state that does not announce its changes

CTRL_C, ENTER, ESCAPE, DOWN = "\x03", "\r", "\x1b", "\x1b[B"


class MachineFailure(Exception):
    """
    The machine hung, crashed or said something else than expected. The text ends with what was
    on its screen.
    """


class MachineSlow(MachineFailure):
    """What was expected did not come in time."""


@dataclass
class Drive:
    """A disk of the machine, or a CD drive: of SATA, or as a BMC shows virtual media."""

    bus: str  # nvme, ahci, usb, virtio-blk, virtio-scsi, cdrom, usb-cdrom
    image: Path = None  # a raw image file; None for a CD drive without a medium
    serial: str = ""
    # Bytes per logical block; QEMU has other ones for nvme, usb, virtio-blk and virtio-scsi.
    block: int = 512
    read_only: bool = False
    slow: int = 0  # bytes per second that can be written, 0: as fast as it goes
    slow_reads: int = 0  # the same for reading
    # Of the disks only this one is started from, and if nothing on it can be, the UEFI shell.
    first: bool = False
    keeps_zeros: bool = False  # zeros are written as any other bytes, and take room on the host
    # What fails, again and again: ("read", 512-byte sector), ("write", sector), ("flush", None),
    # ("write-zeroes", None).
    faults: tuple = ()
    gate: Gate = None  # lets the test hold the requests of this disk

    def arguments(self, name, number):
        """QEMU's arguments for it. `number` counts the drives of the same bus."""
        block = (
            f",logical_block_size={self.block},physical_block_size={self.block}"
            if self.block != 512
            else ""
        )
        # QEMU wants every NVMe disk to have a serial number.
        serial = (
            f",serial={self.serial}"
            if self.serial
            else f",serial=nvme{number}"
            if self.bus == "nvme"
            else ""
        )
        words = []
        if self.bus == "usb" and self.block != 512:
            # usb-storage has blocks of 512 bytes, whatever is asked for: here a SCSI disk behind a
            # bridge of its own.
            words = ["-device", f"usb-bot,bus=xhci.0,port={1 + number},id={name}-bridge{serial}"]
            device = f"scsi-hd,bus={name}-bridge.0,removable=on"
        elif self.bus == "usb-cdrom":
            words = ["-device", f"usb-bot,bus=xhci.0,id={name}-bridge{serial}"]
            device = f"scsi-cd,bus={name}-bridge.0"
        else:
            device = self._plain_device(number)
        first = ",bootindex=0" if self.first else ""
        words += [
            "-device",
            f"{device},id={name}{serial}{block}{first}"
            + (f",drive={name}-image" if self.image else ""),
        ]
        if self.image:
            # Nothing here has to survive a power cut of the host, and zeros need no room on it.
            plain = f"file={self.image},cache=unsafe" + (
                "" if self.keeps_zeros else ",detect-zeroes=unmap,discard=unmap"
            )
            gated = (
                "file.driver=nbd,file.server.type=unix,cache=writeback,"
                f"file.server.path={name}.gate"
            )
            file = self._faulty() if self.faults else gated if self.gate else plain
            words += [
                "-drive",
                f"if=none,id={name}-image,format=raw,{file}"
                + (",readonly=on" if self.read_only else "")
                + (f",throttling.bps-write={self.slow}" if self.slow else "")
                + (f",throttling.bps-read={self.slow_reads}" if self.slow_reads else ""),
            ]
        return words

    def _faulty(self):
        """
        The image behind QEMU's blkdebug. What fails must get there: as it is, and flushes too.
        """
        rules = Path(f"{self.image}.blkdebug")
        events = {
            "read": "read_aio",
            "write": "write_aio",
            "flush": "flush_to_disk",
            "write-zeroes": "none",
        }
        rules.write_text(
            "".join(
                f'[inject-error]\nevent = "{events[kind]}"\niotype = "{kind}"\n'
                'errno = "5"\nonce = "off"\n'
                + (f'sector = "{sector}"\n' if sector is not None else "")
                for kind, sector in self.faults
            )
        )
        return (
            f"file.driver=blkdebug,file.config={rules},file.image.driver=file,"
            f"file.image.filename={self.image},cache=writeback"
        )

    def _plain_device(self, number):
        return {
            # The addresses of virtio-blk lie between those of nvme.
            "nvme": f"nvme,addr=0x{2 + number if number < 8 else 8 + number:x}",
            "ahci": f"ide-hd,bus=ide.{number}",
            "cdrom": f"ide-cd,bus=ide.{5 - number}",
            "usb": f"usb-storage,bus=xhci.0,port={1 + number},removable=on",
            "virtio-blk": f"virtio-blk-pci,addr=0x{10 + number:x}",
            # OVMF finds target 0 only.
            "virtio-scsi": f"scsi-hd,bus=scsi.0,scsi-id=0,lun={number}",
        }[self.bus]


class PlainText:
    """
    Turns what a terminal gets into lines of plain text. Keeps an escape sequence that has only
    half arrived.
    """

    ESCAPE = re.compile(r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])")
    UNFINISHED = re.compile(r"(?:\x1b\[?|\x9b)[0-?]*[ -/]*\Z")

    def __init__(self):
        self.held = ""
        self.column = 0

    def feed(self, text):
        text = self.held + text
        unfinished = self.UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        text, self.held = text[:end], text[end:]
        out, position = "", 0
        for escape in self.ESCAPE.finditer(text):
            out += self._printable(text[position : escape.start()])
            position = escape.end()
            # Where the firmware moves to the start of another line or clears the screen, a line
            # ends.
            moves = escape[2] == "J" or (
                escape[2] == "H" and escape[1].rpartition(";")[2] in ("", "1", "01")
            )
            if moves and self.column:
                out += self._printable("\n")
        return out + self._printable(text[position:])

    def _printable(self, text):
        text = "".join(c for c in text if c == "\n" or c == "\t" or c >= " ")
        last = text.rpartition("\n")
        self.column = len(last[2]) if last[1] else self.column + len(text)
        return text


class Console(pexpect.spawn):
    """
    QEMU, with its serial line as plain text. The text also goes to a file, and to `live` where
    the person watches.
    """

    def __init__(self, qemu, arguments, directory, live):
        self.plain = PlainText()
        self.terminal = Terminal()
        self.live = live
        self.screen = open(directory / "screen.txt", "w", encoding="utf-8")
        super().__init__(
            qemu,
            arguments,
            cwd=str(directory),
            encoding="utf-8",
            codec_errors="replace",
        )
        self.delaybeforesend = None

    def read_nonblocking(self, size=1, timeout=-1):
        raw = super().read_nonblocking(size, timeout)
        self.terminal.feed(raw)
        text = self.plain.feed(raw)
        self.screen.write(text)
        self.screen.flush()
        if self.live:
            self.live.write(text)
            self.live.flush()
        return text


class Machine:
    """
    A running machine: made and started by `with Machine(...) as machine`, gone at the end of it.
    """

    FATAL = "Exception Type|Script Error Status"

    def __init__(
        self,
        directory,
        drives,
        memory=256,
        processors=1,
        deadline=HANG_SECONDS,
        reboots=False,
        skips_idle=False,
        live=None,
        accelerator="tcg",
        kernel=(),
        more=(),
        board=PC,
    ):
        """
        `directory` is made anew. `deadline` in seconds is for all of it; only a person has a reason
        to choose one, a test has none. `reboots`: a reset does not end it. `skips_idle`: the time
        that the guest spends with waiting is over at once for us, but not by its own clocks; see
        seconds_of_guest(). `kernel`: a Linux that the firmware starts (kernel, initramfs, command
        line), and none of the disks. `more`: further arguments for QEMU. `board`: of boards.py.
        """
        self.directory = Path(directory).resolve()
        self.drives = drives
        self.memory = memory
        self.processors = processors
        self.seconds = deadline
        self.reboots = reboots
        self.skips_idle = skips_idle
        self.live = live
        self.board = board
        self.accelerator = accelerator
        self.more = more
        self.kernel = kernel

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        if self.board.variables:
            shutil.copyfile(self.board.variables, self.directory / "variables.fd")
        self.deadline = time.monotonic() + self.seconds
        self.gates = [drive.gate for drive in self.drives if drive.gate]
        for index, drive in enumerate(self.drives):
            if drive.gate:
                drive.gate.open(
                    self.directory,
                    f"disk{index}.gate",
                    drive.image,
                    drive.read_only,
                    CRAWL_SECONDS[self.skips_idle],
                )
        self.console = Console(str(self.board.qemu), self._arguments(), self.directory, self.live)
        return self

    def __exit__(self, *_):
        """Cuts the power if the machine is still on."""
        self.console.kill(signal.SIGKILL)
        self.console.close(force=True)
        self.console.screen.close()
        for gate in self.gates:
            gate.close()

    def _arguments(self):
        words = [
            *self.board.options,
            "-accel",
            self.accelerator,
            "-m",
            self.memory,
            "-smp",
            self.processors,
            "-nodefaults",
            "-display",
            "none",
            # signal=off: Ctrl-C is a key of the guest.
            "-chardev",
            "stdio,id=line,signal=off",
            "-serial",
            "chardev:line",
            "-qmp",
            "unix:qmp,server=on,wait=off",
        ]
        if self.board.code:
            words += [
                "-drive",
                f"if=pflash,unit=0,format=raw,readonly=on,file={self.board.code}",
                "-drive",
                f"if=pflash,unit=1,format=raw,file={self.directory / 'variables.fd'}",
            ]
        for option, value in zip(("-kernel", "-initrd", "-append"), self.kernel):
            words += [option, value]
        if not self.reboots:
            words += ["-no-reboot"]
        if self.skips_idle:
            # An instruction takes 2^4 ns, so that the firmware's waiting loops run 6 times as fast
            # as our clock. With 2^6 it was 24 times, and a USB request that took 0.2 s of ours
            # failed: its limit is 5 s. With less than 2^4, waiting takes longer for us.
            words += ["-icount", "shift=4,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm"]
        buses = [drive.bus for drive in self.drives]
        if "usb" in buses or "usb-cdrom" in buses:
            words += ["-device", f"qemu-xhci,id=xhci,addr=0x1,p2={max(4, buses.count('usb'))}"]
        if "virtio-scsi" in buses:
            words += ["-device", "virtio-scsi-pci,id=scsi,addr=0x18"]
        for index, drive in enumerate(self.drives):
            words += drive.arguments(f"disk{index}", buses[:index].count(drive.bus))
        return [str(word) for word in [*words, *self.more]]

    def failure(self, reason, kind=MachineFailure):
        """The exception for `reason`, with the end of the screen text."""
        screen = (self.directory / "screen.txt").read_text(encoding="utf-8")
        last = "\n".join(screen.splitlines()[-40:])
        return kind(
            f"{reason}\n---- the screen ({self.directory}/screen.txt) ends with ----\n{last}\n----"
        )

    def expect(self, pattern, timeout=None):
        """
        Waits for `pattern` (a regular expression, or pexpect.EOF) on the screen; returns the match.
        """
        left = max(self.deadline - time.monotonic(), 0.1)
        limit = left if timeout is None else min(timeout, left)
        wanted = [pattern, self.FATAL] + ([] if pattern is pexpect.EOF else [pexpect.EOF])
        try:
            found = self.console.expect(wanted, timeout=limit)
        except pexpect.TIMEOUT:
            raise self.failure(
                f"no {getattr(pattern, '__name__', pattern)!r} within {limit:.1f} s", MachineSlow
            ) from None
        if found == 1:
            # Let it finish its report, as far as it comes at once.
            self.console.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=1)
            raise self.failure("an exception in the guest, or a mistake in the script")
        if found == 2:
            raise self.failure(f"the machine went off while {pattern!r} was awaited")
        return self.console.match

    def send(self, keys):
        self.console.send(keys)

    def screen(self):
        """What stands on the screen of the serial terminal."""
        return self.console.terminal.text()

    def see(self, pattern, timeout=None):
        """
        Waits until `pattern` (a regular expression) stands on the screen of the terminal;
        returns all of that screen.
        """
        self.wait_until(
            lambda: re.search(pattern, self.screen(), re.MULTILINE),
            lambda: f"{pattern!r} on the screen:\n{self.screen()}",
            timeout,
        )
        return self.screen()

    def wait_until(self, holds, what, timeout=None):
        """
        Waits until `holds()` is true, and reads what the machine prints meanwhile. `what()` names
        what was awaited, for a failure.
        """
        end = min(self.deadline, time.monotonic() + timeout) if timeout else self.deadline
        while not holds():
            if time.monotonic() > end:
                raise self.failure(f"the machine is on, but there is no {what()}", MachineSlow)
            ends = [pexpect.TIMEOUT, pexpect.EOF, self.FATAL]
            found = self.console.expect(ends, timeout=LOOK_SECONDS)
            if found == 1:
                raise self.failure(f"the machine went off while this was awaited: {what()}")
            if found == 2:
                raise self.failure(f"an exception in the guest while this was awaited: {what()}")

    def wait_off(self, timeout=None, status=0):
        """
        Waits until the guest has switched the machine off, so that QEMU ends with `status`;
        None: with any, which is returned.
        """
        self.expect(pexpect.EOF, timeout)
        self.console.wait()
        if status is None:
            return self.console.exitstatus
        if self.console.exitstatus != status:
            raise self.failure(f"QEMU ended with exit status {self.console.exitstatus}")

    def qmp(self, command, **arguments):
        """Gives QEMU a command and returns its answer."""
        # A Unix socket's path may have 107 characters, a directory's own path more: go through its
        # descriptor.
        directory = os.open(self.directory, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(max(self.deadline - time.monotonic(), 1))
                line.connect(f"/proc/self/fd/{directory}/qmp")
                with line.makefile("rw", encoding="utf-8") as talk:
                    talk.readline()  # the greeting
                    for request in (
                        {"execute": "qmp_capabilities"},
                        {"execute": command, "arguments": arguments},
                    ):
                        talk.write(json.dumps(request) + "\n")
                        talk.flush()
                        answer = {}
                        while (
                            "return" not in answer and "error" not in answer
                        ):  # events come in between
                            answer = json.loads(talk.readline())
        except (OSError, ValueError) as failure:
            raise self.failure(
                f"QEMU does not answer {command}, it has ended perhaps: {failure}"
            ) from None
        finally:
            os.close(directory)
        if "error" in answer:
            raise self.failure(f"QEMU refuses {command}: {answer['error']['desc']}")
        return answer["return"]

    def seconds_of_guest(self):
        """The guest's clock, in seconds since 1970."""
        clock = self.qmp("qom-get", path="/machine", property="rtc-time")
        now = datetime(
            1900 + clock["tm_year"],
            1 + clock["tm_mon"],
            clock["tm_mday"],
            clock["tm_hour"],
            clock["tm_min"],
            clock["tm_sec"],
            tzinfo=timezone.utc,
        )
        return int(now.timestamp())

    def let_guest_wait(self, seconds):
        """Waits until at least that many seconds have passed by the guest's clock."""
        end = self.seconds_of_guest() + seconds + 1  # it shows whole seconds
        self.wait_until(lambda: self.seconds_of_guest() >= end, lambda: f"end of {seconds} s")

    def wait_reached(self, gate):
        """
        Waits until `gate` is reached. If it holds, leaving `with Machine` cuts the power just
        before the request that is held.
        """
        self.wait_until(gate.reached, lambda: "request at the gate")

    def linger(self, gate, seconds):
        """Waits until `gate`, which crawls, is reached, and then `seconds` by the guest's clock."""
        self.wait_reached(gate)
        self.let_guest_wait(seconds)

    @contextmanager
    def stopped_at(self, gate, has_ended=lambda: False):
        """
        Waits until `gate`, which crawls, is reached, and stops the machine with all of its clocks
        for the time of the block. No request is under way then. The gate is released. That
        `has_ended()` becomes true before is a failure: there will be no request.
        """
        with ThreadPoolExecutor(max_workers=1) as pool:
            stop = pool.submit(lambda: gate.wait_reached() and self.qmp("stop"))
            try:
                self.wait_until(lambda: stop.done() or has_ended(), lambda: "request at the gate")
            finally:
                gate.release()
            if stop.result() is False:
                raise self.failure("the command has ended before it came to the gate")
        try:
            yield
        finally:
            self.qmp("cont")

    def send_stopped(self, key):
        """Types a key on a stopped machine's serial line; on return it is in the guest's UART."""
        self.send(key)
        # The line status register; bit 0: data ready.
        self.wait_until(
            lambda: int(self.hmp("i /b 0x3fd").split("=")[1], 16) & 1,
            lambda: "character in the UART",
        )

    def send_at_once(self, key):
        """Types a key on the serial line, and stops the machine's clocks until it has the key."""
        self.qmp("stop")
        self.send_stopped(key)
        self.qmp("cont")

    def hmp(self, line):
        """Runs a command of QEMU's human monitor, and returns what it prints."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def press(self, *names):
        """
        Presses keys of the machine's own keyboard together, by QEMU's names for them:
        press("ctrl", "c"). The machine must be running; a stopped one loses them.
        """
        self.qmp("send-key", keys=[{"type": "qcode", "data": name} for name in names])

    def unplug(self, drive):
        """Pulls a USB stick out."""
        self.qmp("device_del", id=f"disk{self.drives.index(drive)}")
