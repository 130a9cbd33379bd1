"""AWS KMS and Vault's transit engine as far as we use them, in memory: they encrypt, bind, refuse, and go away."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "hvs.a-token-of-the-tests"


@dataclass
class KeyService:
    """Both services in one. `asked` counts calls; while `is_ill`, each is answered with 503."""

    keys: dict[str, AESGCM] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_ill: bool = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._aws, methods=["POST"]),
                Route("/v1/{mount}/{deed}/{name}", self._vault, methods=["POST"]),
            ]
        )

    async def _aws(self, request: Request) -> Response:
        deed = request.headers["x-amz-target"].removeprefix("TrentService.")
        said = await request.json()
        self.asked.append(deed)
        if self.is_ill:
            return JSONResponse({"__type": "KMSInternalException"}, 500)
        signed = request.headers["authorization"]
        if "Credential=AKIDEXAMPLE/" not in signed or "/eu-central-1/kms/aws4_request" not in signed:
            return JSONResponse({"__type": "com.amazonaws#UnrecognizedClientException"}, 400)
        if said["KeyId"] not in self.keys:
            return JSONResponse({"__type": "NotFoundException"}, 400)
        cipher, context = self.keys[said["KeyId"]], json.dumps(said["EncryptionContext"], sort_keys=True).encode()
        if deed == "Encrypt":
            return JSONResponse({"CiphertextBlob": _sealed(cipher, base64.b64decode(said["Plaintext"]), context)})
        plain = _opened(cipher, said["CiphertextBlob"], context)
        return JSONResponse(
            {"Plaintext": plain} if plain else {"__type": "InvalidCiphertextException"}, 200 if plain else 400
        )

    async def _vault(self, request: Request) -> Response:
        said: Mapping[str, str] = await request.json()
        deed, name = request.path_params["deed"], request.path_params["name"]
        self.asked.append(deed)
        if self.is_ill:
            return JSONResponse({"errors": ["Vault is sealed"]}, 503)
        if request.headers.get("x-vault-token") != TOKEN or name not in self.keys:
            return JSONResponse({"errors": ["permission denied"]}, 403)
        bound = base64.b64decode(said["associated_data"])
        if deed == "encrypt":
            sealed = "vault:v1:" + _sealed(self.keys[name], base64.b64decode(said["plaintext"]), bound)
            return JSONResponse({"data": {"ciphertext": sealed, "key_version": 1}})
        plain = _opened(self.keys[name], said["ciphertext"].removeprefix("vault:v1:"), bound)
        if plain is None:
            return JSONResponse({"errors": ["cipher: message authentication failed"]}, 400)
        return JSONResponse({"data": {"plaintext": plain}})


def _sealed(cipher: AESGCM, plain: bytes, bound: bytes) -> str:
    nonce = os.urandom(12)
    return base64.b64encode(nonce + cipher.encrypt(nonce, plain, bound)).decode()


def _opened(cipher: AESGCM, text: str, bound: bytes) -> str | None:
    try:
        raw = base64.b64decode(text)
        return base64.b64encode(cipher.decrypt(raw[:12], raw[12:], bound)).decode()
    except (InvalidTag, ValueError):
        return None
