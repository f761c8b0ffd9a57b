# ssl over tls, after micropython-lib's python-stdlib/ssl: the port's build leaves it out.
import tls
from tls import *


class SSLContext:
    def __init__(self, *args):
        self._context = tls.SSLContext(*args)
        self._context.verify_mode = CERT_NONE

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, value):
        self._context.verify_mode = value

    def load_cert_chain(self, certfile, keyfile):
        self._context.load_cert_chain(_bytes_of(certfile), _bytes_of(keyfile))

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(_bytes_of(cafile) if cafile else cadata)

    def wrap_socket(self, sock, **options):
        return self._context.wrap_socket(sock, **options)


def _bytes_of(name_or_bytes):
    if isinstance(name_or_bytes, str):
        with open(name_or_bytes, "rb") as file:
            return file.read()
    return name_or_bytes


def wrap_socket(sock, cert_reqs=CERT_NONE, cadata=None, **options):
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.verify_mode = cert_reqs
    if cadata:
        context.load_verify_locations(cadata=cadata)
    return context.wrap_socket(sock, **options)
