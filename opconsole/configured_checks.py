"""Gives the health checks that the settings describe."""

from __future__ import annotations

from opconsole.health import CommandCheck, HealthCheck, HttpCheck, TcpCheck
from opconsole.settings import targets as configured


def check_of(check: configured.Health) -> HealthCheck:
    """Give the check that the settings describe."""
    if isinstance(check, configured.HttpCheck):
        return HttpCheck(
            url=check.url,
            status=check.status,
            body=check.body,
            version_key=check.version_key,
            expect_version=check.expect_version,
            interval=check.interval,
            timeout=check.timeout,
            passes=check.passes,
            within=check.within,
        )
    if isinstance(check, configured.TcpCheck):
        return TcpCheck(
            host=check.host,
            port=check.port,
            interval=check.interval,
            timeout=check.timeout,
            passes=check.passes,
            within=check.within,
        )
    return CommandCheck(
        argv=check.argv,
        interval=check.interval,
        timeout=check.timeout,
        passes=check.passes,
        within=check.within,
    )
