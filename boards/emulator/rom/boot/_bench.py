# The workbench: the flash chip edited while the board has no power. Jobs come from the host.
import json

import _board
import _flash

_CHUNK = 4096

# inisetup.py leaves this on every new ESP32
_BOOT_PY = """\
# This file is executed on every boot (including wake-boot from deepsleep)
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""


def _make_folders(disk, path):
    at = 0
    while True:
        at = path.find("/", at + 1)
        if at < 0:
            return
        try:
            disk.mkdir(path[:at])
        except OSError:
            pass


def _copy(source, target):
    while True:
        part = source.read(_CHUNK)
        if not part:
            return
        target.write(part)


def _do(disk, job):
    if "stock" in job:
        job = {"put": "/boot.py", "text": _BOOT_PY}
    path = job.get("put") or job.get("append")
    if path:
        _make_folders(disk, path)
        with disk.open(path, "ab" if "append" in job else "wb") as target:
            if "from" in job:
                with _posix.open(job["from"], "rb") as source:
                    _copy(source, target)
            else:
                target.write(job["text"].encode())
    elif "settings" in job:
        try:
            with disk.open(job["settings"], "rb") as file:
                said = json.load(file)
        except OSError:
            return  # a board without settings names no version
        said.update(job["set"])
        with disk.open(job["settings"], "wb") as file:
            file.write(json.dumps(said).encode())
    elif "save" in job:
        try:
            with disk.open(job["save"], "rb") as source:
                with _board.host.open("/" + job["to"], "wb") as target:
                    _copy(source, target)
        except OSError:
            pass  # it is not there, and that is what will be restored
    elif "remove" in job:
        try:
            disk.remove(job["remove"])
        except OSError:
            pass


import vfs

_posix = vfs.VfsPosix("/")
_disk = _flash.mount("/flash")
for _job in json.loads(_board.read("jobs.json")):
    _do(_disk, _job)
_board.end(0)
