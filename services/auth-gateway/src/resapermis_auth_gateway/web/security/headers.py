"""What every answer carries, whatever its status (security-tests.md section 2)."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from resapermis_auth_gateway.web.settings import WebSettings

API_POLICY = "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; sandbox"
REPORTS = "/csp-reports"
DENIED_FEATURES = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "sync-xhr",
    "usb",
    "xr-spatial-tracking",
)


def page_policy(nonce: str, settings: WebSettings) -> str:
    """CSP of the interface. The nonce stands for styles as well: Mantine makes <style> elements that carry it."""
    issuer = urlsplit(settings.oidc_issuer)
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        f"form-action 'self' {issuer.scheme}://{issuer.netloc}; base-uri 'none'; object-src 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default; report-to csp"
    )


def security_headers(settings: WebSettings) -> Mapping[str, str]:
    """Headers of all answers; Content-Security-Policy and Cache-Control only where an answer has none of its own."""
    denied = ", ".join([*(f"{feature}=()" for feature in DENIED_FEATURES), "publickey-credentials-get=(self)"])
    fixed = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": denied,
    }
    if settings.secure:
        fixed["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains; preload"
    return fixed


DEFAULTS = {"Content-Security-Policy": API_POLICY, "Cache-Control": "no-store"}
