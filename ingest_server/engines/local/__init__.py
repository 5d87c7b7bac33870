"""The default engine: worker processes on this machine, forked from a zygote that has loaded the handlers once.

Linux only: it stands on memfd, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER and /proc.
"""

from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.engines.local.pool import LocalEngine

__all__ = ["LocalEngine", "LocalEngineLimits"]
