# webrepl: as frozen into ESP32 builds, down to its module variables. It listens on a port of the
# host's choosing in place of 8266, since many boards share one host.
import socket

listen_s = None
client_s = None
static_host = "https://micropython.org/webrepl/"


def start(port=8266, password=None, accept_handler=None):
    global listen_s
    stop()
    if password is None:
        try:
            import webrepl_cfg

            password = webrepl_cfg.PASS
        except ImportError:
            print("WebREPL is not configured, run 'import webrepl_setup'")
            return
    if not 4 <= len(password) <= 9:
        raise ValueError("password must be 4 to 9 characters")
    listen_s = socket.socket()
    listen_s.bind(socket.getaddrinfo("127.0.0.1", 0)[0][-1])
    listen_s.listen(1)
    print("WebREPL server started on http://192.168.4.1:%d/" % port)


def stop():
    global listen_s, client_s
    for one in (client_s, listen_s):
        if one:
            one.close()
    listen_s = client_s = None


def start_foreground(port=8266, password=None):
    start(port, password)
