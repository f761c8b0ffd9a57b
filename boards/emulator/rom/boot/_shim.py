# The REPL of an ESP32: raw, raw paste and friendly mode, Ctrl-C, soft reset, boot.py, main.py.
# The unix port of this version has none that mpremote could drive. Its rules are those of
# shared/runtime/pyexec.c.
import io
import sys
import termios

import _board

import select

_ISIG = 1
_OPOST = 1
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D, _CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_WINDOW = 128

_in = sys.stdin.buffer
_out = sys.stdout.buffer
_ours = ('"_shim.py"', '"_boot.py"', '"_facade.py"')
_cooked = True
_early = b""  # bytes that arrived between a command and its start
_poll = select.poll()
_poll.register(sys.stdin, select.POLLIN)


class _Gone(Exception):
    pass


# Ctrl-C is a signal while the board's own code runs and a byte while the REPL reads.
def _tty(interrupt):
    try:
        mode = termios.tcgetattr(0)
    except OSError:
        return
    mode[3] = mode[3] | _ISIG if interrupt else mode[3] & ~_ISIG
    mode[1] = mode[1] | _OPOST if _cooked else mode[1] & ~_OPOST
    termios.tcsetattr(0, termios.TCSANOW, mode)


def _listen():
    while True:
        try:
            return _tty(False)
        except KeyboardInterrupt:
            pass  # a late Ctrl-C: what it was meant for has ended


# A Ctrl-C that came before the signal was armed still counts.
def _arm():
    global _early
    _tty(True)
    while _poll.poll(0):
        byte = _in.read(1)
        if not byte or byte == _CTRL_C:
            raise KeyboardInterrupt
        _early += byte


# on the unix port this would give SIGINT its default action, which ends the VM
def kbd_intr(char):
    _tty(char == 3)


def _read():
    global _early
    if _early:
        byte, _early = _early[:1], _early[1:]
        return byte
    while True:
        try:
            byte = _in.read(1)
        except KeyboardInterrupt:
            return _CTRL_C
        if not byte:
            raise _Gone
        return byte


def _say(text):
    _out.write(text)


# Frames of this file are ours, not the board's.
def _show(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    for line in text.getvalue().split("\n"):
        if line and not any(name in line for name in _ours):
            print(line)


def _reset(kind):
    _board.end(kind)


# `do` is called with Ctrl-C armed; whatever it raises is shown. True when it ended by itself.
def _guard(do, marks=False):
    error = None
    try:
        _arm()
        do()
    except BaseException as caught:
        error = caught
    _listen()
    if isinstance(error, SystemExit):
        if marks:
            _say(b"\x04\x04")
        _reset(_board.SOFT if _cooked else _board.SOFT_RAW)
    if marks:
        _say(b"\x04")
    if error is not None:
        _show(error)
    if marks:
        _say(b"\x04")
    return error is None


def _exec(source, scope):
    exec(compile(source, "<stdin>", "exec"), scope)


def _paste_window():
    _say(b"R\x01%c\x00\x01" % _WINDOW)
    source = bytearray()
    left = _WINDOW
    while True:
        byte = _read()
        if byte == _CTRL_D:
            _say(b"\x04")
            return source
        if byte == _CTRL_C:
            _say(b"\x04")
            return None
        source += byte
        left -= 1
        if not left:
            _say(b"\x01")
            left = _WINDOW


def _run_raw(source, scope):
    source = bytes(source)
    _guard(lambda: _exec(source, scope), marks=True)
    _say(b">")


_BANNER_RAW = b"raw REPL; CTRL-B to exit\r\n>"


def _raw(scope):
    global _cooked
    _cooked = False
    _listen()
    _say(_BANNER_RAW)
    line = bytearray()
    while True:
        byte = _read()
        if byte == _CTRL_A:
            if bytes(line) == b"\x05A":
                source = _paste_window()
                if source is None:
                    _say(b"\x04\x04>")
                else:
                    _run_raw(source, scope)
            else:
                _say(_BANNER_RAW)
            line = bytearray()
        elif byte == _CTRL_B:
            break
        elif byte == _CTRL_C:
            line = bytearray()
        elif byte == _CTRL_D:
            _say(b"OK")
            if not line:
                _say(b"\r\n")
                _reset(_board.SOFT_RAW)
            source, line = line, bytearray()
            _run_raw(source, scope)
            source = None
        else:
            line += byte
    _cooked = True
    _listen()
    _say(b"\n")


def _banner():
    facts = _board.facts
    text = 'MicroPython v%d.%d.%d; %s\nType "help()" for more information.\n' % (
        tuple(sys.implementation.version[:3]) + (facts["machine"],)
    )
    _say(text.encode())


# what pyexec asks of mp_repl_continue_with_input, in short
def _wants_more(source):
    depth = 0
    for char in source:
        depth += (char in b"([{") - (char in b")]}")
    if depth > 0 or source.endswith(b"\\"):
        return True
    first = source.split(b"\n")[0].strip()
    block = first.endswith(b":") or first.startswith(b"@")
    return block and not source.endswith(b"\n")


def _paste_mode(scope):
    _say(b"\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\n=== ")
    source = bytearray()
    while True:
        byte = _read()
        if byte == _CTRL_C:
            return _say(b"\n")
        if byte == _CTRL_D:
            _say(b"\n")
            source = bytes(source)
            _guard(lambda: _exec(source, scope))
            return
        byte = b"\n" if byte == b"\r" else byte
        source += byte
        _say(b"\n=== " if byte == b"\n" else byte)


def _run_line(line, scope):
    _guard(lambda: exec(compile(line, "<stdin>", "single"), scope))


# True: go to raw mode
def _friendly(scope):
    _banner()
    source = b""
    while True:
        _say(b"... " if source else b">>> ")
        line = b""
        while True:
            byte = _read()
            if byte in b"\r\n":
                _say(b"\n")
                break
            if byte == _CTRL_C:
                _say(b"\n")
                line = source = None
                break
            if not line and not source:
                if byte == _CTRL_A:
                    return
                if byte == _CTRL_B:
                    _say(b"\n")
                    _banner()
                    line = None
                    break
                if byte == _CTRL_D:
                    _say(b"\n")
                    _reset(_board.SOFT)
                if byte == _CTRL_E:
                    _paste_mode(scope)
                    line = None
                    break
            if byte in b"\x7f\x08":
                if line:
                    line = line[:-1]
                    _say(b"\x08 \x08")
            elif byte >= b" " or byte == b"\t":
                line += byte
                _say(byte)
        if line is None:
            source = b""
            continue
        source = source + b"\n" + line if source else line
        if not source.strip():
            source = b""
        elif not _wants_more(source):
            _run_line(source, scope)
            source = b""


def _exists(name):
    try:
        return bool(_board.native_os.stat(name))
    except OSError:
        return False


def _run_file(name, scope):
    return not _exists(name) or _guard(lambda: execfile(name, scope))  # noqa: F821 (a builtin here)


# A sealed build has no REPL: when its main.py ends, nothing follows but a restart.
def _run_sealed(scope):
    _tty(False)
    for name in ("boot.py", "main.py"):
        try:
            if _exists(name):
                execfile(name, scope)  # noqa: F821
        except BaseException as error:
            _show(error)
    _board.native_time.sleep_ms(1000)
    _reset(_board.HARD)


def start(scope):
    if _board.sealed():
        _run_sealed(scope)
    raw = _board.raw_mode
    try:
        if _run_file("boot.py", scope) and not raw:
            _run_file("main.py", scope)
        while True:
            if raw:
                _raw(scope)
            raw = True
            _friendly(scope)
    except _Gone:
        _reset(0)
