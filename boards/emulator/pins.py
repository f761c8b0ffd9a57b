"""The packages of the VM, pinned: where each lies in a Debian archive's pool, and its SHA-256."""

from __future__ import annotations

# pool folder, package and version -> SHA-256 by architecture
POOL = {
    ("g/glibc", "libc6_2.41-12+deb13u4"): {
        "i386": "67bb4b54cf4bb6a380449dfa1852cd9135659f85360caa0e41d312f4b30e573a",
        "amd64": "967aa62605721081c3eb2a17650611a792aa802d76a6511d1840242623d204c9",
    },
    ("libf/libffi", "libffi8_3.4.8-2"): {
        "i386": "8bafefb38c320ca27796070c881595ce04d900c3b534ac142a494daf1fe1db13",
        "amd64": "0ebdc340de33333639c3c63874cd4b15ac2e83dfa1ef3053b7eefaf4919f4f68",
    },
    ("m/mbedtls", "libmbedcrypto16_3.6.6-0.1~deb13u1"): {
        "i386": "aa4698ed436eebf77e3dc9f5c514073bd554109d857d887db5a367dde9a5c377",
        "amd64": "b38baf2ecaca7b28b3005d34b8108ee9b17681426b20662813995e939aea6dfa",
    },
    ("m/mbedtls", "libmbedtls21_3.6.6-0.1~deb13u1"): {
        "i386": "eb1b20154ce9008aca1d036698ffc12019020a54985d2c5ae3dc1c1c39c9e995",
        "amd64": "9e280505afa5f5aa7034e494e7466c82d8e9af2eb3bf2edf46bab0bd7b62e1ac",
    },
    ("m/mbedtls", "libmbedx509-7_3.6.6-0.1~deb13u1"): {
        "i386": "fe6ba192c9227d30a4cd05a3bdeccdf9ff30d55b27d8ff488126c16dcf727cce",
        "amd64": "e0b6630efcf9eae2e05172496576bc3235be134a6bbf8da4cf3570fba65f65b8",
    },
    ("m/micropython", "micropython_1.25.0+ds-1"): {
        "i386": "a72799821cb45442150f8a7f0757bc8e4f9a4b64abccbd837d694a20d6900bb5",
        "amd64": "a2c8327c1005cbf0f15c83d1d3b94c20585135c29a97ab1483ada93b82d94a88",
    },
}


def pool_files(arch: str) -> dict[str, str]:
    """Path in the pool -> SHA-256 for one architecture."""
    return {
        f"pool/main/{folder}/{name}_{arch}.deb": by_arch[arch]
        for (folder, name), by_arch in POOL.items()
    }
