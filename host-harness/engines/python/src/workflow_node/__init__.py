"""Client of the workflow-node server: runs the actions of workflow nodes.

`Client` blocks, `AsyncClient` is for asyncio. The package never handles a secret of a service:
calls name credentials that the server holds.
"""

from ._protocol import CallOptions, Retry
from ._version import __version__
from .async_client import AsyncClient
from .client import Client
from .deliveries import SIGNATURE_HEADER, SignatureError, read_delivery
from .errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ExecutionError,
    InvalidRequestError,
    ItemsFailedError,
    NotFoundError,
    PermissionDeniedError,
    Problem,
    ProtocolError,
    TransportError,
    UnavailableError,
    WorkflowNodeError,
)
from .models import (
    Action,
    ActionForm,
    Choice,
    Credential,
    Delivery,
    Event,
    Example,
    ExecutionResult,
    ExecutionStatus,
    Health,
    ItemEnd,
    ItemError,
    ItemResult,
    Plugin,
    Record,
    Resource,
    Slot,
    Subscription,
    Token,
    Trigger,
    TriggerForm,
)

__all__ = [
    "SIGNATURE_HEADER",
    "Action",
    "ActionForm",
    "ApiError",
    "AsyncClient",
    "AuthenticationError",
    "CallOptions",
    "Choice",
    "Client",
    "ConflictError",
    "Credential",
    "Delivery",
    "Event",
    "Example",
    "ExecutionError",
    "ExecutionResult",
    "ExecutionStatus",
    "Health",
    "InvalidRequestError",
    "ItemEnd",
    "ItemError",
    "ItemResult",
    "ItemsFailedError",
    "NotFoundError",
    "PermissionDeniedError",
    "Plugin",
    "Problem",
    "ProtocolError",
    "Record",
    "Resource",
    "Retry",
    "SignatureError",
    "Slot",
    "Subscription",
    "Token",
    "TransportError",
    "Trigger",
    "TriggerForm",
    "UnavailableError",
    "WorkflowNodeError",
    "__version__",
    "read_delivery",
]
