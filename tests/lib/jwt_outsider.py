#!/usr/bin/python3
"""An outsider who checks JWTs by their signatures, with PyJWT and no code of ours.

jwt_outsider.py check FILE AUDIENCE ISSUER KEY     prints the claims as JSON; exits 1 where PyJWT refuses the token
jwt_outsider.py forge FILE SECRET                  prints the token with another nonce, signed anew by HS256
jwt_outsider.py foreign                            prints a JWT that nobody here has made
jwt_outsider.py alter FILE                         prints the token with each of some characters changed, one a line
jwt_outsider.py holds FILE SECRET                  exits 0 where the file has the first bytes of the secret in it

FILE holds the token. KEY is "jwks:FILE", a JSON Web Key Set, or "secret:FILE", the bytes of an HS256 secret.
"""
import json
import secrets
import sys

import jwt

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def key_of(token, source):
    """The key that the token's header names, and the algorithm that goes with it: never the header's own choice."""
    kind, path = source.split(":", 1)
    if kind == "secret":
        return read(path, "rb"), "HS256"
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.PyJWKSet.from_json(read(path))[kid].key, "EdDSA"


def check(path, audience, issuer, source):
    token = read(path).strip()
    key, algorithm = key_of(token, source)
    claims = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=audience,
        issuer=issuer,
        options={"require": ["iss", "aud", "jti", "iat", "exp"]},
    )
    print(json.dumps(claims))


def forge(path, secret):
    token = read(path).strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    claims["nonce"] = secrets.token_urlsafe(16)
    header = jwt.get_unverified_header(token)
    print(jwt.encode(claims, read(secret, "rb"), "HS256", {"kid": header["kid"]}))


def foreign():
    print(jwt.encode({"sub": "old", "jti": secrets.token_hex(16)}, secrets.token_bytes(32), "HS256"))


def alter(path):
    token = read(path).strip()
    # The last character of a part may hold bits that no byte has: another one could decode to the same.
    ends = {i - 1 for i, c in enumerate(token + ".") if c == "."}
    for at in range(5, len(token), 37):
        if token[at] != "." and at not in ends:
            other = ALPHABET[(ALPHABET.index(token[at]) + 1) % len(ALPHABET)]
            print(token[:at] + other + token[at + 1 :])


def holds(path, secret):
    sys.exit(0 if read(secret, "rb")[:16] in read(path, "rb") else 1)


if __name__ == "__main__":
    try:
        commands = {"check": check, "forge": forge, "foreign": foreign, "alter": alter, "holds": holds}
        commands[sys.argv[1]](*sys.argv[2:])
    except (jwt.PyJWTError, KeyError, ValueError) as error:
        # Of a token that was altered in its header, all three.
        sys.exit(f"{type(error).__name__}: {error}")
