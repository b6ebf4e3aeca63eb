"""Verify servers' certificates against the system's trust store, and explain failures."""

from __future__ import annotations

import os
import ssl

from jmapsync.errors import ConfigError, NetworkError

# The numbers stand in openssl-verification-options(1).
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_UNKNOWN_AUTHORITY = {2, 19, 20, 21}
OTHER_NAME = 62
_OTHER_NAME = {OTHER_NAME, 64}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
"""What OpenSSL makes of an answer that is not TLS."""


class UntrustedError(NetworkError):
    """The server's certificate could not be verified; trying again at once would change nothing."""


class Certificates:
    """The trust store that servers' certificates are verified against."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._loaded = False

    def load(self) -> None:
        """Read the machine's certificates, once; that takes 25 ms, so it is left to the first https request.

        Raise `ConfigError` where SSL_CERT_FILE or SSL_CERT_DIR names what cannot be read: OpenSSL passes over that.
        """
        if self._loaded:
            return
        paths = ssl.get_default_verify_paths()
        _check_directories(paths.openssl_capath_env)
        file = os.environ.get(paths.openssl_cafile_env)
        if file:
            _load_file(self.context, file, paths.openssl_cafile_env, paths.capath)
        else:
            self.context.load_default_certs()
        if not file and not self.context.cert_store_stats()["x509_ca"] and not paths.capath:
            import certifi  # noqa: PLC0415  # only for a machine without certificates

            self.context.load_verify_locations(certifi.where())
        self._loaded = True

    def locations(self) -> tuple[str | None, str | None]:
        """Return the file and the directories (as SSL_CERT_DIR lists them) that the certificates are in, if any; see `load`."""
        paths = ssl.get_default_verify_paths()
        directories = os.environ.get(paths.openssl_capath_env) or paths.capath
        file = os.environ.get(paths.openssl_cafile_env) or paths.cafile
        if not file and not directories:
            import certifi  # noqa: PLC0415  # as above

            file = certifi.where()
        return file, directories


def _load_file(context: ssl.SSLContext, file: str, variable: str, directory: str | None) -> None:
    try:
        context.load_verify_locations(cafile=file, capath=directory)
    except ssl.SSLError:
        raise ConfigError([f"The environment variable {variable} names {file}, which holds no certificates (PEM)."]) from None
    except OSError as error:
        raise ConfigError([f"The environment variable {variable} names {file}, which cannot be read: {error.strerror}."]) from None


def _check_directories(variable: str) -> None:
    for path in os.environ.get(variable, "").split(os.pathsep):
        if path and not os.path.isdir(path):
            raise ConfigError([f"The environment variable {variable} names {path}, which is not a directory."])


def tls_failure(error: BaseException | None, host: str) -> NetworkError | None:
    """Return what a failed TLS handshake means; None if the exception and its causes speak of none."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return untrusted(error.verify_code, error.verify_message, host)
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return not_tls(host)
        error = error.__cause__ or error.__context__
    return None


def is_no_tls(text: str) -> bool:
    """Return whether a text of OpenSSL's says that an answer was not TLS."""
    return any(reason.lower().replace("_", " ") in text.lower() for reason in _NO_TLS)


def not_tls(host: str) -> NetworkError:
    """Return the error of a host whose answer is not TLS."""
    return NetworkError(f"{host} does not speak TLS at this port.", advice="Check the port, and that it is one for https.")


def untrusted(code: int, text: str, host: str) -> UntrustedError:
    """Return the error of a certificate that was rejected, for OpenSSL's number and text of the reason."""
    said = text.rstrip(".")
    message = f"The certificate of {host} could not be verified ({said})."
    if code == _EXPIRED:
        message = f"The certificate of {host} has expired."
        advice = "Its administrator has to renew it; if other sites fail too, check this machine's clock."
    elif code == _NOT_YET_VALID:
        message = f"The certificate of {host} is not valid yet."
        advice = "Check this machine's clock."
    elif code in _OTHER_NAME:
        message = f"The certificate of {host} is for another name ({said})."
        advice = "Check the host name; a network that asks for a sign-in answers so too."
    elif code == _SELF_SIGNED:
        message = f"The certificate of {host} is signed by itself, not by an authority."
        advice = "If it is your own server's, name the certificate's file in SSL_CERT_FILE; else do not trust it."
    elif code in _UNKNOWN_AUTHORITY:
        advice = (
            "If the server has a certificate authority of its own, name its file in SSL_CERT_FILE; "
            "if not, its administrator may have left out an intermediate certificate."
        )
    else:
        advice = "Its administrator has to correct it."
    return UntrustedError(message, advice=advice)
