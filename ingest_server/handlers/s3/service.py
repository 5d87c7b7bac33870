"""Which S3 service requests go to: its endpoint, its region, and whose credentials sign them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest_server.domain.s3_address import S3Address, check_s3_endpoint
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.s3.signature import Credentials, encoded_path


@dataclass(frozen=True, slots=True)
class S3Service:
    """One service.

    Attributes:
        region: that requests are signed for.
        credentials: None: requests are anonymous.
        endpoint: `http://HOST[:PORT]` or `https://…`, without a path; "": AWS.
    """

    region: str = "us-east-1"
    credentials: Credentials | None = None
    endpoint: str = ""

    def __post_init__(self) -> None:
        if self.endpoint:
            check_s3_endpoint(self.endpoint)

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return not self.endpoint.startswith("http://")

    def place(self, address: S3Address) -> tuple[str, str]:
        """Host (with a port, where the endpoint names one) and encoded path of an object.

        With an endpoint of the operator's the bucket is the first step of the path, which every compatible service understands.
        At AWS it is part of the host, as AWS asks for; but not a bucket with dots, for which its certificates do not hold.
        """
        if self.endpoint:
            return urlsplit(self.endpoint).netloc, encoded_path(f"/{address.bucket}/{address.key}")
        host = f"s3.{self.region}.amazonaws.com"
        if "." in address.bucket:
            return host, encoded_path(f"/{address.bucket}/{address.key}")
        return f"{address.bucket}.{host}", encoded_path(f"/{address.key}")


def service_of(settings: OperatorSettings, environment: Mapping[str, str]) -> S3Service:
    """The service of the operator's settings, with the credentials of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
    and, for keys that are lent for a time, AWS_SESSION_TOKEN. Without the first two requests are anonymous.

    Raises:
        ValueError: the endpoint is none.
    """
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    credentials = None
    if access_key and secret_key:
        credentials = Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN", ""))
    return S3Service(settings.s3_region, credentials, settings.s3_endpoint.rstrip("/"))
