# Small numbers that outlive a power cut, in the agent's own NVS namespace.
import esp32

_NAMESPACE = "troth"
SEALED = "sealed"
BOOTS = "boots"
TLS = "tls"  # version of the last handshake, 12 or 13: an answer over serial has no link of its own


def recall(name, default):
    try:
        return esp32.NVS(_NAMESPACE).get_i32(name)
    except OSError:
        return default


# Writes only what changed: flash wears.
def remember(name, value):
    if recall(name, None) == value:
        return value
    nvs = esp32.NVS(_NAMESPACE)
    nvs.set_i32(name, value)
    nvs.commit()
    return value
