"""The form of a maker's declaration: each key, what it may say, and a file to fill in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import values
from .values import Reader


class Key(NamedTuple):
    """One key of the file; the field of `Statement` is called the same unless `field` says else."""

    name: str
    read: Reader
    example: str
    help: str
    field: str = ""


# section -> its keys, in the order in which the skeleton asks them
KEYS: dict[str, tuple[Key, ...]] = {
    "For what it holds": (
        Key("models", values.texts, '["lamp-v1"]', "model designations, as in troth.json"),
        Key("versions", values.versions, '">=1.0 <2.0"', "leave out for all versions"),
        Key("valid_from", values.day, "2026-12-01", "leave out for at once"),
        Key("valid_until", values.day_end, "2027-11-30", "after it nothing here counts"),
        Key(
            "markets",
            values.some_of(values.MARKETS),
            '["eu", "uk"]',
            f"some of {', '.join(values.MARKETS)}",
        ),
    ),
    "Who declares it": (
        Key("maker_name", values.text, '"Lamps Ltd"', "UK statement of compliance, CRA annex V"),
        Key("maker_address", values.text, '"1 Lamp Street, London"', "postal"),
        Key("representative", values.text, '"Lamps EU BV, Delft"', "authorised, if there is one"),
        Key("importer", values.none_or_text, '"Import BV, Delft"', '"" if the maker himself'),
        Key("importer_contact", values.contact, '"care@import.example"', "of that"),
        Key("checked_by_importer", values.text, '"CHECK-1"', "his check of marking and papers"),
        Key("distributor", values.none_or_text, '"Shop Ltd, Leeds"', '"" if there is none'),
        Key("checked_by_distributor", values.text, '"CHECK-2"', "his check"),
        Key("product_type", values.text, '"smart lamp"', "what it is, in a few words"),
        Key("product_batches", values.texts, '["2026-48"]', "type or batch that it is about"),
        Key("intended_use", values.text, '"lighting at home"', "with the expected surroundings"),
        Key("statement_ref", values.text, '"DoC-lamp-v1-2026-1"', "conformity statement"),
        Key("statement_models", values.texts, '["lamp-v1"]', "models that statement names"),
        Key("standards", values.texts, '["EN 303 645 V2.1.1 2020-06"]', "number, version, date"),
        Key("test_reports", values.texts, '["report-17"]', "what shows it"),
        Key("signatory", values.text, '"A. Maker"', "who signs for the maker"),
        Key("signatory_role", values.text, '"director"', "in which function"),
        Key("place", values.text, '"London"', "of signing"),
    ),
    "Support": (
        Key("support_url", values.url, '"https://example.org/lamp-v1"', "where it is published"),
        Key("support_end", values.day_end, "2031-12-31", "the last day, never moved earlier"),
        Key("expected_use_years", values.years, "5", "how long people use it", "expected_use"),
        Key("support_justification", values.text, '"..."', "if shorter than the use"),
        Key("eol_notice", values.flag, "true", "users are told at the end"),
        Key("eol_notice_infeasible", values.text, '"no display"', "if they cannot be"),
        Key("archive_url", values.url, '"https://example.org/old"', "earlier security updates"),
    ),
    "Flaws": (
        Key("vdp_url", values.url, '"https://example.org/security"', "disclosure policy"),
        Key("vdp_contact", values.contact, '"security@example.org"', "mail, page or tel:"),
        Key("vdp_ack_days", values.days, "5", "until a report is acknowledged"),
        Key("vdp_status_days", values.days, "14", "between status updates"),
        Key("vuln_process_ref", values.text, '"PROC-7"', "how flaws are handled"),
        Key("vuln_process_reviewed", values.day, "2026-11-01", "the last review of that"),
        Key("advisory_delayed", values.none_or_texts, '["CVE-2026-1"]', "held back for a reason"),
        Key("sbom_ref", values.text, '"lamp-1.0.cdx.json"', "component list"),
    ),
    "Passwords and access": (
        Key(
            "password_kind",
            values.one_of(("none", "user", "unique", "default")),
            '"none"',
            "none, user, unique or default",
        ),
        Key(
            "password_generator",
            values.one_of(("csprng", "keyed-kdf", "derived")),
            '"csprng"',
            "of unique ones: csprng, keyed-kdf or derived",
        ),
        Key("credential_change", values.flag, "true", "every password and key can be changed"),
        Key("declared_ports", values.none_or_texts, "[]", 'all that listens, such as "443/tcp"'),
        Key("unauth_disclosure_ref", values.text, '"REV-3"', "what is told before a login"),
    ),
    "Updates": (
        Key("update_instructions", values.text, '"hold the button 5 s"', "for users"),
        Key("security_updates_free", values.flag, "true", "of charge"),
        Key("security_updates_separate", values.flag, "true", "apart from new functions"),
        Key("security_updates_inseparable", values.text, '"one image"', "why, if they are not"),
        Key("update_impossible_reason", values.text, '"read-only memory"', "if there are none"),
        Key("isolable", values.flag, "true", "works cut off from the network"),
        Key("replaceable", values.flag, "true", "can be swapped"),
    ),
    "Inside": (
        Key("default_profile_digest", values.digest, f'"{"0" * 64}"', "settings as shipped"),
        Key("sensitive_in_flash", values.flag, "false", "secrets or personal data lie there"),
        Key("crypto_agile", values.flag, "true", "an algorithm can be replaced"),
        Key("crypto_algs", values.none_or_texts, '["ES256", "AES-128-GCM"]', "all in use"),
        Key("replay_protection", values.text, '"counter in each command"', "how"),
        Key("local_function", values.flag, "true", "works without the network"),
        Key("declared_modules", values.none_or_texts, '["lamp"]', "code that ships"),
    ),
    "Data": (
        Key("declared_sensors", values.none_or_texts, "[]", 'such as "temperature"'),
        Key("declared_telemetry", values.none_or_texts, '["attestation"]', "all that is sent"),
        Key("personal_data", values.flag, "false", "is any handled?"),
        Key("privacy_notice_url", values.url, '"https://example.org/privacy"', "if so"),
        Key("dpia_ref", values.text, '"DPIA-2"', "if so"),
        Key("location_declared", values.flag, "false", "is the position used?"),
        Key("location_basis", values.text, '"contract"', "if so"),
        Key("traffic_data", values.flag, "false", "does it pass others' traffic data?"),
        Key("children", values.flag, "false", "is it a toy, or does it watch children?"),
        Key("money", values.flag, "false", "does it move money or what is worth money?"),
        Key("network_equipment", values.flag, "false", "does it pass on others' traffic?"),
        Key("erase_instructions", values.text, '"hold both buttons 10 s"', "for users"),
    ),
    "How it was made": (
        Key("risk_ref", values.text, '"RISK-1"', "risk assessment, with what does not apply"),
        Key("risk_date", values.day, "2026-11-01", "of that"),
        Key("fuzz_ref", values.text, '"FUZZ-9"', "tests of all input"),
        Key("fuzz_version", values.text, '"1.0.0"', "the version that was tested"),
        Key("sdlc_ref", values.text, '"SSDF, certificate 12"', "development process"),
        Key("guide_urls", values.urls, '["https://example.org/guide"]', "user guide"),
        Key("guide_languages", values.texts, '["en", "nl"]', "its languages"),
    ),
}


def skeleton(model: str) -> Iterator[str]:
    """The lines of a file to fill: every key commented out but the model's own."""
    yield "# A maker's declaration. Take the # away from what you can stand for, and fill it in."
    yield "# What stays commented is not declared: it is shown as not shown, never as a breach."
    for section, keys in KEYS.items():
        yield ""
        yield f"# --- {section} ---"
        for key in keys:
            line = f"{key.name} = {key.example}"
            if key.name == "models":
                yield f'models = ["{model}"]  # {key.help}'
            else:
                yield f"# {line}  # {key.help}"
