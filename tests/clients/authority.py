"""A certificate authority made for one run, and a certificate of it for loopback."""

import trustme


class Authority:
    """Paths of PEM files: `root`, which clients trust, and `certificate` with `key`, which the server shows."""

    def __init__(self, folder):
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1", "localhost")
        self.root, self.certificate, self.key = (folder / name for name in ("root.pem", "certificate.pem", "key.pem"))
        authority.cert_pem.write_to_path(str(self.root))
        made.private_key_pem.write_to_path(str(self.key))
        for place, pem in enumerate(made.cert_chain_pems):
            pem.write_to_path(str(self.certificate), append=place > 0)
