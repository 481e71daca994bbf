#!/usr/bin/python3
"""An issuer of tokens for tests, of PyJWT and cryptography: nothing of it is Latchkey's.

Prints the port of its key server on 127.0.0.1, then answers each line of standard input, a JSON object, with a line:

    {"do": "token", ...}    a token; see Issuer.token()
    {"do": "attack", "name": NAME}  a token that is not good; see ATTACKS
    {"do": "serve", "mode": MODE, "keys": [NAME, ...]}   what the server answers from then on; see Handler
    {"do": "write", "path": PATH, "keys": [NAME, ...]}   writes a key set into a file
    {"do": "await", "count": N}     answers when the server has begun to answer N requests in all
    {"do": "count"}         how many it has begun to answer
    {"do": "tls"}           the port of a server that answers alike over TLS, with a certificate that nobody vouches for
    {"do": "close"}         closes the server for good
"""
import base64
import datetime
import gzip
import hashlib
import hmac
import http.server
import ipaddress
import json
import ssl
import sys
import tempfile
import threading
import time

try:
    import jwt
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
except ImportError as error:
    sys.exit("jose_peer.py needs python3-jwt and python3-cryptography: run tools/install-deps test (%s)" % error)

ISSUER = "https://issuer.example/realms/main"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return b64(value.to_bytes(size, "big"))


class Key:
    """A key by its name, which is also its kid: rsa1, small1 (1024 bits), ec1, ed1, hs1."""

    def __init__(self, name):
        self.name = name
        self.kind = name.rstrip("0123456789")
        if self.kind in ("rsa", "small"):
            self.private = rsa.generate_private_key(65537, 2048 if self.kind == "rsa" else 1024)
        elif self.kind == "ec":
            self.private = ec.generate_private_key(ec.SECP256R1())
        elif self.kind == "ed":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = hashlib.sha256(name.encode()).digest()
        self.alg = {"rsa": "RS256", "small": "RS256", "ec": "ES256", "ed": "EdDSA", "hs": "HS256"}[self.kind]

    def jwk(self):
        if self.kind == "hs":
            return {"kty": "oct", "kid": self.name, "k": b64(self.private)}
        public = self.private.public_key()
        if self.kind == "ec":
            n = public.public_numbers()
            return {"kty": "EC", "crv": "P-256", "kid": self.name, "use": "sig", "x": number(n.x, 32), "y": number(n.y, 32)}
        if self.kind == "ed":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "kid": self.name, "alg": "EdDSA", "x": b64(raw)}
        n = public.public_numbers()
        size = (n.n.bit_length() + 7) // 8
        return {"kty": "RSA", "kid": self.name, "use": "sig", "key_ops": ["verify"], "n": number(n.n, size), "e": "AQAB"}

    def sign(self, data):
        """By its own algorithm, over any bytes."""
        if self.kind == "hs":
            return hmac.new(self.private, data, hashlib.sha256).digest()
        if self.kind == "ec":
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.kind == "ed":
            return self.private.sign(data)
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Issuer:
    def __init__(self):
        self.keys = {}
        # Makes a token another one.
        self.salt = 0

    def key(self, name):
        if name not in self.keys:
            self.keys[name] = Key(name)
        return self.keys[name]

    def jwks(self, names):
        return json.dumps({"keys": [self.key(name).jwk() for name in names]})

    def claims(self, set=None, drop=(), in_s=None):
        """The claims of an access token that is good for five minutes; times of `in_s` are from now."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": ["account", "latchkey"],
            "sub": "user-1",
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
            "tenant": "acme",
            "jti": str(self.salt),
            "realm_access": {"roles": ["key-user"]},
        }
        claims.update(set or {})
        claims.update({name: now + span for name, span in (in_s or {}).items()})
        return {name: value for name, value in claims.items() if name not in drop}

    def token(self, key="rsa1", alg=None, kid="", headers=None, **claims):
        """A token by PyJWT. `kid` "": that of the key; None: none."""
        key = self.key(key)
        headers = dict(headers or {})
        if kid is not None:
            headers["kid"] = kid or key.name
        return jwt.encode(self.claims(**claims), key.private, algorithm=alg or key.alg, headers=headers)

    def raw(self, header, payload, key="rsa1"):
        """A token of these very bytes, signed truly."""
        header = header if isinstance(header, bytes) else json.dumps(header).encode()
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        data = (b64(header) + "." + b64(payload)).encode()
        return data.decode() + "." + b64(self.key(key).sign(data))


issuer = Issuer()
RSA = {"alg": "RS256", "kid": "rsa1", "typ": "JWT"}


def unsigned(alg):
    return b64(json.dumps({"alg": alg, "kid": "rsa1"}).encode()) + "." + b64(json.dumps(issuer.claims()).encode()) + "."


def by_secret(secret):
    """HS256 with what everybody knows: the public key in one of its forms."""
    head = {"alg": "HS256", "kid": "rsa1"}
    data = (b64(json.dumps(head).encode()) + "." + b64(json.dumps(issuer.claims()).encode())).encode()
    return data.decode() + "." + b64(hmac.new(secret, data, hashlib.sha256).digest())


def public(form, encoding=serialization.Encoding.PEM):
    return issuer.key("rsa1").private.public_key().public_bytes(encoding, form)


def with_signature(change, key="rsa1", alg=None):
    head, payload, signature = issuer.token(key=key, alg=alg).split(".")
    data = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    return head + "." + payload + "." + b64(change(data))


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def loose_bits():
    """The last character of a signature of 256 bytes has 4 bits that mean nothing, and must be 0."""
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def twice(name, value):
    text = json.dumps(issuer.claims())
    return issuer.raw(RSA, (text[:-1] + ", %s: %s}" % (json.dumps(name), json.dumps(value))).encode())


def foreign(parameter):
    """Signed by a stranger's key, which the header brings along or says where to find, under a kid that is known."""
    stranger = issuer.key("rsa9")
    value = {
        "jwk": stranger.jwk(),
        "jku": "http://127.0.0.1:%d/stranger" % server.server_port,
        "x5u": "http://127.0.0.1:%d/stranger" % server.server_port,
        "x5c": [base64.b64encode(b"certificate").decode()],
    }[parameter]
    return issuer.token(key="rsa9", kid="rsa1", headers={parameter: value})


def text(old, new):
    """A payload in which these very characters stand in the place of others: what no JSON library would write."""
    return issuer.raw(RSA, json.dumps(issuer.claims()).encode().replace(old, new))


def half(value, at, key="ec1"):
    """One half of a signature of 64 bytes replaced."""
    return with_signature(lambda data: value + data[32:] if at == 0 else data[:32] + value, key)


def beyond_order():
    """The same signature by RFC 8032's letter, were S not to be below L."""
    order = 2**252 + 27742317777372353535851937790883648493
    return with_signature(
        lambda data: data[:32] + (int.from_bytes(data[32:], "little") + order).to_bytes(32, "little"), "ed1")


def in_der():
    """A good ES256 signature, in the form of the wrong standard."""
    head, payload, _ = issuer.token(key="ec1").split(".")
    return head + "." + payload + "." + b64(
        issuer.key("ec1").private.sign((head + "." + payload).encode(), ec.ECDSA(hashes.SHA256())))


def without_its_zero(alg):
    """RFC 8017 sections 8.1.2 and 8.2.2: a signature that is shorter than the modulus is none, though the number be the same."""
    while True:
        head, payload, signature = issuer.token(alg=alg).split(".")
        data = base64.urlsafe_b64decode(signature + "==")
        if data[0] == 0:
            return head + "." + payload + "." + b64(data[1:])
        issuer.salt += 1


P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551

ATTACKS = {
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "NONE": lambda: unsigned("NONE"),
    "nOnE": lambda: unsigned("nOnE"),
    "none signed": lambda: issuer.raw({"alg": "none", "kid": "rsa1"}, issuer.claims()),
    "empty alg": lambda: issuer.raw({"alg": "", "kid": "rsa1"}, issuer.claims()),
    "no alg": lambda: issuer.raw({"kid": "rsa1"}, issuer.claims()),
    "alg no text": lambda: issuer.raw({"alg": ["RS256"], "kid": "rsa1"}, issuer.claims()),
    "alg rs256": lambda: issuer.raw({"alg": "rs256", "kid": "rsa1"}, issuer.claims()),
    "alg RS512": lambda: issuer.token(alg="RS512"),
    "HS256 by SPKI PEM": lambda: by_secret(public(serialization.PublicFormat.SubjectPublicKeyInfo)),
    "HS256 by PKCS1 PEM": lambda: by_secret(public(serialization.PublicFormat.PKCS1)),
    "HS256 by DER": lambda: by_secret(
        public(serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER)),
    "HS256 by JWK": lambda: by_secret(json.dumps(issuer.key("rsa1").jwk()).encode()),
    "HS256 by modulus": lambda: by_secret(base64.urlsafe_b64decode(issuer.key("rsa1").jwk()["n"] + "==")),
    "HS256 by nothing": lambda: by_secret(b""),
    "HS256 truly": lambda: issuer.token(key="hs1"),
    "another's signature": lambda: issuer.token(key="rsa9", kid="rsa1"),
    "wrong kid": lambda: issuer.token(kid="rsa8"),
    "small key": lambda: issuer.token(key="small1"),
    "kid no text": lambda: issuer.raw({"alg": "RS256", "kid": 1}, issuer.claims()),
    "kid too long": lambda: issuer.raw({"alg": "RS256", "kid": "k" * 257}, issuer.claims()),
    "kid a path": lambda: issuer.token(kid="../../../../etc/hostname"),
    "kid SQL": lambda: issuer.token(kid="x' OR '1'='1"),
    "kid empty": lambda: issuer.raw({"alg": "RS256", "kid": ""}, issuer.claims()),
    "kid null": lambda: issuer.raw({"alg": "RS256", "kid": None}, issuer.claims()),
    "kid an array": lambda: issuer.raw({"alg": "RS256", "kid": ["rsa1"]}, issuer.claims()),
    "kid with a NUL": lambda: issuer.raw(b'{"alg":"RS256","kid":"rsa1\\u0000x"}', issuer.claims()),
    "kid with a line": lambda: issuer.raw({"alg": "RS256", "kid": "x\nlevel=error msg=owned"}, issuer.claims()),
    "kid twice": lambda: issuer.raw(b'{"alg":"RS256","kid":"rsa1","k\\u0069d":"rsa2"}', issuer.claims()),
    "no kid": lambda: issuer.token(kid=None),
    "expired": lambda: issuer.token(in_s={"exp": -31}),
    "expired long ago": lambda: issuer.token(in_s={"exp": -86400}),
    "no exp": lambda: issuer.token(drop=["exp"]),
    "exp a text": lambda: issuer.raw(RSA, issuer.claims(set={"exp": "4102444800"})),
    "exp too far": lambda: issuer.raw(RSA, issuer.claims(set={"exp": 1e300})),
    "exp negative": lambda: issuer.raw(RSA, issuer.claims(set={"exp": -1})),
    "exp true": lambda: issuer.raw(RSA, issuer.claims(set={"exp": True})),
    "exp infinite": lambda: issuer.raw(RSA, json.dumps(issuer.claims(set={"exp": 1})).replace(
        '"exp": 1', '"exp": 1e999').encode()),
    "exp null": lambda: issuer.raw(RSA, issuer.claims(set={"exp": None})),
    "exp an array": lambda: issuer.raw(RSA, issuer.claims(set={"exp": [4102444800]})),
    "exp of 30 digits": lambda: issuer.raw(RSA, issuer.claims(set={"exp": 10**29})),
    "exp past 9999": lambda: issuer.raw(RSA, issuer.claims(set={"exp": 253402300800})),
    "exp zero": lambda: issuer.raw(RSA, issuer.claims(set={"exp": 0})),
    "exp minus zero": lambda: issuer.raw(RSA, issuer.claims(set={"exp": -0.0})),
    "exp NaN": lambda: issuer.raw(RSA, issuer.claims(set={"exp": float("nan")})),
    "nbf null": lambda: issuer.raw(RSA, issuer.claims(set={"nbf": None})),
    "nbf too far": lambda: issuer.raw(RSA, issuer.claims(set={"nbf": 1e18})),
    "nbf negative": lambda: issuer.raw(RSA, issuer.claims(set={"nbf": -1})),
    "iat a text": lambda: issuer.raw(RSA, issuer.claims(set={"iat": "0"})),
    "iat in 9999": lambda: issuer.raw(RSA, issuer.claims(set={"iat": 253402300799})),
    "not yet valid": lambda: issuer.token(in_s={"nbf": 60}),
    "nbf a text": lambda: issuer.raw(RSA, issuer.claims(set={"nbf": "0"})),
    "issued in the future": lambda: issuer.token(in_s={"iat": 60}),
    "wrong audience": lambda: issuer.token(set={"aud": "another"}),
    "no audience": lambda: issuer.token(drop=["aud"]),
    "audience too long": lambda: issuer.token(set={"aud": "account2"}),
    "audience an object": lambda: issuer.token(set={"aud": {"account": True}}),
    "audience of none": lambda: issuer.token(set={"aud": []}),
    "audience null": lambda: issuer.raw(RSA, issuer.claims(set={"aud": None})),
    "audience in an array too deep": lambda: issuer.token(set={"aud": [["account"]]}),
    "audience in words": lambda: issuer.token(set={"aud": "other account"}),
    "wrong issuer": lambda: issuer.token(set={"iss": "https://issuer.example/realms/other"}),
    "issuer with a slash": lambda: issuer.token(set={"iss": ISSUER + "/"}),
    "no issuer": lambda: issuer.token(drop=["iss"]),
    "issuer in an array": lambda: issuer.raw(RSA, issuer.claims(set={"iss": [ISSUER]})),
    "id token": lambda: issuer.token(set={"typ": "ID", "aud": "web-client"}),
    "id token for us": lambda: issuer.token(set={"typ": "ID"}),
    "no typ": lambda: issuer.token(drop=["typ"]),
    "typ in another case": lambda: issuer.token(set={"typ": "bearer"}),
    "sub twice": lambda: twice("sub", "user-2"),
    "exp twice": lambda: twice("exp", 4102444800),
    "alg twice": lambda: issuer.raw(b'{"alg":"RS256","kid":"rsa1","alg":"RS256"}', issuer.claims()),
    "sub twice by an escape": lambda: text(b'"sub":', b'"s\\u0075b": "admin", "sub":'),
    "deep twice": lambda: issuer.raw(RSA, json.dumps(issuer.claims()).encode()[:-1] + b',"x":{"a":1,"a":2}}'),
    "deep": lambda: issuer.raw(RSA, json.dumps(issuer.claims()).encode()[:-1] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}"),
    "crit": lambda: issuer.raw(dict(RSA, crit=["exp"], exp=1), issuer.claims()),
    "crit b64": lambda: issuer.raw(dict(RSA, crit=["b64"], b64=False), issuer.claims()),
    "crit empty": lambda: issuer.raw(dict(RSA, crit=[]), issuer.claims()),
    "jwk": lambda: foreign("jwk"),
    "jku": lambda: foreign("jku"),
    "x5u": lambda: foreign("x5u"),
    "x5c": lambda: foreign("x5c"),
    "bad signature": lambda: with_signature(flip),
    "signature cut off": lambda: with_signature(lambda data: data[:-1]),
    "signature of one byte": lambda: with_signature(lambda data: b"\0"),
    "no signature": lambda: with_signature(lambda data: b""),
    "truncated": lambda: issuer.token()[:-10],
    "payload of another": lambda: (lambda a, b: a.split(".")[0] + "." + b.split(".")[1] + "." + a.split(".")[2])(
        issuer.token(), issuer.token(set={"sub": "admin"})),
    "two parts": lambda: issuer.token().rsplit(".", 1)[0],
    "four parts": lambda: issuer.token() + ".AAAA",
    "JWE": lambda: b64(b'{"alg":"RSA-OAEP","enc":"A256GCM"}') + ".AAAA.AAAA.AAAA.AAAA",
    "enc": lambda: issuer.raw(dict(RSA, enc="A256GCM"), issuer.claims()),
    "nested": lambda: issuer.raw(dict(RSA, cty="JWT"), issuer.token().encode()),
    "dots": lambda: "..",
    "payload an array": lambda: issuer.raw(RSA, [issuer.claims()]),
    "payload no JSON": lambda: issuer.raw(RSA, b"sub=user-1"),
    "payload with a tail": lambda: issuer.raw(RSA, json.dumps(issuer.claims()).encode() + b"{}"),
    "not UTF-8": lambda: issuer.raw(RSA, json.dumps(issuer.claims()).encode().replace(b"user-1", b"user\xff1")),
    "NUL": lambda: issuer.raw(RSA, json.dumps(issuer.claims()).encode().replace(b"user-1", b"user\\u00001")),
    "name with a NUL": lambda: text(b'"typ"', b'"sub\\u0000": 1, "typ"'),
    "NUL of a byte": lambda: text(b"user-1", b"user\0-1"),
    "half a surrogate": lambda: text(b"user-1", b"user\\ud800"),
    "UTF-8 of a surrogate": lambda: text(b"user-1", b"user\xed\xa0\x80"),
    "UTF-8 too long": lambda: text(b"user-1", b"user\xc0\xaf1"),
    "byte order mark": lambda: text(b'{"iss"', b'\xef\xbb\xbf{"iss"'),
    "comment": lambda: text(b'"typ"', b'/**/"typ"'),
    "comma at the end": lambda: text(b"}}", b"},}"),
    "single quotes": lambda: text(b'"user-1"', b"'user-1'"),
    "blank in front": lambda: " " + issuer.token(),
    "Bearer": lambda: "Bearer " + issuer.token(),
    "padded": lambda: issuer.token() + "==",
    "blank inside": lambda: issuer.token().replace(".", ". ", 1),
    "standard base64": lambda: issuer.token().replace("_", "/").replace("-", "+") + "+/",
    "loose bits": loose_bits,
    "ES256 of an RSA key": lambda: issuer.token(key="ec1", kid="rsa1"),
    "RS256 of an EC key": lambda: issuer.token(key="rsa1", kid="ec1"),
    "EdDSA of an EC key": lambda: issuer.token(key="ed1", kid="ec1"),
    "PS256 of another": lambda: issuer.token(key="rsa9", kid="rsa1", alg="PS256"),
    "ES256 too short": lambda: with_signature(lambda data: data[:-1], "ec1"),
    "ES256 too long": lambda: with_signature(lambda data: data + b"\0", "ec1"),
    "ES256 all zero": lambda: with_signature(lambda data: bytes(64), "ec1"),
    "ES256 r zero": lambda: with_signature(lambda data: bytes(32) + data[32:], "ec1"),
    "ES256 in DER": lambda: with_signature(lambda data: issuer.key("ec1").private.sign(
        b"x", ec.ECDSA(hashes.SHA256())), "ec1"),
    "ES256 truly in DER": in_der,
    "ES256 s zero": lambda: half(bytes(32), 1),
    "ES256 s the order": lambda: half(P256_ORDER.to_bytes(32, "big"), 1),
    "ES256 r the order": lambda: half(P256_ORDER.to_bytes(32, "big"), 0),
    "ES256 r past the order": lambda: half(b"\xff" * 32, 0),
    "RS256 with a zero before": lambda: with_signature(lambda data: b"\0" + data),
    "RS256 without its zero": lambda: without_its_zero("RS256"),
    "PS256 without its zero": lambda: without_its_zero("PS256"),
    "PS256 with a zero before": lambda: with_signature(lambda data: b"\0" + data, alg="PS256"),
    "RS256 of 1024 bytes": lambda: with_signature(lambda data: bytes(1024 - len(data)) + data),
    "RS256 of 1025 bytes": lambda: with_signature(lambda data: bytes(1025 - len(data)) + data),
    "RS256 of one": lambda: with_signature(lambda data: bytes(len(data) - 1) + b"\1"),
    "EdDSA past the order": beyond_order,
    "EdDSA of small order": lambda: with_signature(lambda data: b"\1" + bytes(63), "ed1"),
    "EdDSA flipped": lambda: with_signature(flip, "ed1"),
    "EdDSA all zero": lambda: with_signature(lambda data: bytes(64), "ed1"),
    "no subject": lambda: issuer.token(drop=["sub"]),
    "empty subject": lambda: issuer.token(set={"sub": ""}),
    "subject a number": lambda: issuer.raw(RSA, issuer.claims(set={"sub": 1})),
    "subject too long": lambda: issuer.token(set={"sub": "u" * 129}),
    "subject with a line": lambda: issuer.token(set={"sub": "user\n1"}),
    "subject with blanks": lambda: issuer.token(set={"sub": " user-1"}),
    "subject in an array": lambda: issuer.token(set={"sub": ["user-1"]}),
    "subject null": lambda: issuer.raw(RSA, issuer.claims(set={"sub": None})),
    "subject with a C1 control": lambda: issuer.token(set={"sub": "user\u00851"}),
    "subject with DEL": lambda: issuer.token(set={"sub": "user\u007f1"}),
    "subject with a wide blank": lambda: issuer.token(set={"sub": "user-1\u3000"}),
    "no tenant": lambda: issuer.token(drop=["tenant"]),
    "tenant system": lambda: issuer.token(set={"tenant": "system"}),
    "tenant system among": lambda: issuer.token(set={"tenant": ["acme", "system"]}),
    "tenant active": lambda: issuer.token(set={"tenant": "active"}),
    "tenant *": lambda: issuer.token(set={"tenant": "*"}),
    "tenant no id": lambda: issuer.token(set={"tenant": "Acme Corp"}),
    "tenant a number": lambda: issuer.token(set={"tenant": 7}),
    "tenant empty": lambda: issuer.token(set={"tenant": ""}),
    "tenant System": lambda: issuer.token(set={"tenant": "System"}),
    "tenant with a blank": lambda: issuer.token(set={"tenant": "acme "}),
    "tenant null": lambda: issuer.raw(RSA, issuer.claims(set={"tenant": None})),
    "tenants too deep": lambda: issuer.token(set={"tenant": [["acme"]]}),
    "tenants with *": lambda: issuer.token(set={"tenant": ["acme", "*"]}),
    "tenant an object": lambda: issuer.token(set={"tenant": {"acme": True}}),
    "tenants too many": lambda: issuer.token(set={"tenant": ["t%d" % i for i in range(65)]}),
    "over 8 KiB": lambda: issuer.token(set={"filler": "x" * 8000}),
    "60 KiB": lambda: issuer.token(set={"filler": "x" * 45000}),
    "60 KiB of dots": lambda: "e" + "." * 61439,
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the server's mode.

    keys; garbage, big (10 MB), chunked (10 MB), endless, empty, gzip, cut off; 304, 500, redirect, to a file; headers (1 MB); hang, drip.
    """

    protocol_version = "HTTP/1.1"

    def drip(self):
        """A byte now and then, and never the last one: until another mode is asked for."""
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b" ")
            with state:
                if state.wait_for(lambda: seen["mode"] != "drip", 0.1):
                    return

    def chunks(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(10):
            self.wfile.write(b"F4240\r\n" + b" " * 1000000 + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass

    def do_GET(self):
        with state:
            seen["count"] += 1
            state.notify_all()
            mode, body = seen["mode"], seen["body"]
        if mode == "hang":
            with state:
                state.wait_for(lambda: seen["mode"] != "hang")
            return
        self.close_connection = True
        if mode in ("drip", "chunked"):
            try:
                {"drip": self.drip, "chunked": self.chunks}[mode]()
            except (BrokenPipeError, ConnectionResetError):
                pass
            return
        status = {"304": 304, "500": 500, "redirect": 302, "to a file": 302}.get(mode, 200)
        body = {"garbage": b"<html>" * 100, "big": b"[" + b" " * 10000000 + b"]", "endless": b" " * 65536,
                "empty": b"", "gzip": gzip.compress(body), "304": b""}.get(mode, body)
        if mode == "redirect" and self.path == "/elsewhere":
            status, body = 200, seen["body"]
        try:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere" if mode == "redirect" else "file:///etc/passwd")
            if mode == "gzip":
                self.send_header("Content-Encoding", "gzip")
            for i in range(20 if mode == "headers" else 0):
                self.send_header("X-Header-%d" % i, "x" * 50000)
            if mode != "endless":
                self.send_header("Content-Length", str(len(body) + (mode == "cut off")))
            self.end_headers()
            for _ in range(200 if mode == "endless" else 1):
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


state = threading.Condition()
seen = {"count": 0, "mode": "500", "body": b""}
server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def serve(mode="keys", keys=()):
    with state:
        seen["mode"] = mode
        seen["body"] = issuer.jwks(keys).encode()
        state.notify_all()
    return "ok"


def write(path, keys):
    with open(path, "w", encoding="ascii") as file:
        file.write(issuer.jwks(keys))
    return "ok"


def await_count(count):
    with state:
        state.wait_for(lambda: seen["count"] >= count)
    return "ok"


def tls():
    """A certificate of its own making, for this very address and of today: nothing is wrong with it but that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    secure = Server(("127.0.0.1", 0), Handler)
    secure.handle_error = lambda *_: None
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=secure.serve_forever, args=(0.05,), daemon=True).start()
    return str(secure.server_port)


def close():
    server.shutdown()
    server.server_close()
    return "ok"


COMMANDS = {
    "token": issuer.token,
    "attack": lambda name: ATTACKS[name](),
    "serve": serve,
    "write": write,
    "await": await_count,
    "count": lambda: str(seen["count"]),
    "tls": tls,
    "close": close,
}

print(server.server_port, flush=True)
for line in sys.stdin:
    order = json.loads(line)
    print(COMMANDS[order.pop("do")](**order), flush=True)
