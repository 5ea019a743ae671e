"""Events that the server sends to an address of the engine."""

from __future__ import annotations

import hashlib
import hmac
import json

from .errors import WorkflowNodeError
from .models import Delivery

SIGNATURE_HEADER = "x-harness-signature"


class SignatureError(WorkflowNodeError):
    """A request is not signed with the secret of the subscription. Answer it with status 401."""


def read_delivery(secret: str, body: bytes, signature: str | None) -> Delivery:
    """Checks a request that the server has sent to `deliver_to`, and returns its event.

    Args:
        secret: Secret that `subscribe` returned.
        body: Body of the request, byte for byte.
        signature: Header `x-harness-signature`.

    Raises:
        SignatureError: The signature is missing or wrong.
    """
    expected = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), (signature or "").encode()):
        raise SignatureError("The signature of the request is missing or wrong")
    return Delivery.of(json.loads(body))
